from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stagewright.domain.errors import Unreachable
from stagewright.testing.servers import SLOTS, RedisCluster, RedisServer


def ask(server: RedisServer, command: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(4096)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="always") as started:
        yield started


def test_the_server_that_answers_is_the_one_that_was_started(server: RedisServer) -> None:
    assert int(server.info()["process_id"]) == server.pid
    assert server.info()["run_id"] == server.run_id


def test_data_and_port_survive_a_kill_and_a_restart(server: RedisServer) -> None:
    ask(server, "SET key value")
    before = (server.port, server.run_id)
    server.kill()
    assert server.pid is None
    server.restart()
    assert ask(server, "GET key") == b"$5\r\nvalue\r\n"
    assert server.port == before[0]
    assert server.run_id != before[1]


def test_a_restart_replaces_a_running_server(server: RedisServer) -> None:
    pid = server.pid
    server.restart()
    assert server.pid not in (None, pid)


def test_stopping_removes_the_data_and_may_be_repeated() -> None:
    with RedisServer() as server:
        directory = server.directory
        server.stop()
        assert not directory.exists()
    assert server.pid is None


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(Unreachable, match="no-such-option"):
        RedisServer(options=("--no-such-option", "1")).start()


def test_a_cluster_is_masters_that_share_all_slots_and_a_replica_of_each(
    redis_cluster: RedisCluster,
) -> None:
    assert len(redis_cluster.masters()) == 3
    owners = {redis_cluster.owner_of(slot).port for slot in range(0, SLOTS, SLOTS // 6)}
    assert owners == {node.port for node in redis_cluster.masters()}
    for master in redis_cluster.masters():
        redis_cluster.wait_followed(master)


def test_a_slot_moves_with_its_keys(redis_cluster: RedisCluster) -> None:
    slot = redis_cluster.nodes[0].ask("CLUSTER", "KEYSLOT", "key")
    source = redis_cluster.owner_of(slot)
    target = next(node for node in redis_cluster.masters() if node is not source)
    source.ask("SET", "key", "value")
    redis_cluster.move_slot(slot, target)
    assert redis_cluster.owner_of(slot) is target
    assert target.ask("GET", "key") == b"value"
    redis_cluster.move_slot(slot, source)
    assert source.ask("DEL", "key") == 1


def test_nodes_that_do_not_come_to_agree_are_ended() -> None:
    cluster = RedisCluster(start_s=0.5)
    with pytest.raises(Unreachable, match="do not come to agree"):
        cluster.start()
    assert [node.pid for node in cluster.nodes] == [None] * 6
