"""Real servers, started by the tests that need them and ended with them."""

from __future__ import annotations

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import RedisError
from redis.retry import Retry

from stagewright.domain.errors import Unreachable

AppendOnly = Literal["always", "everysec", "no"]

_HOST = "127.0.0.1"
_POLL_S = 0.01

SLOTS = 16_384
"""Slots of a Redis Cluster."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Startable(ABC):
    """Something that runs as long as a `with` block lasts."""

    @abstractmethod
    def start(self) -> None:
        """Start it."""

    @abstractmethod
    def stop(self) -> None:
        """End it and remove what it left."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class RedisServer(Startable):
    """A redis-server of our own on a free port, with a directory of its own.

    `start` raises Unreachable, with the end of the server's log, when it does not come up. What
    answers on the port is proved to be the process that was started. `kill` and `restart` keep
    port and data, so clients meet the same server again; `stop` ends it and removes the data.
    """

    def __init__(
        self,
        *,
        appendonly: AppendOnly = "no",
        options: tuple[str, ...] = (),
        start_s: float = 20.0,
        under: tuple[str, ...] = (),
    ) -> None:
        """`under` is the start of a command line that becomes the server, as a tracer's does."""
        self.appendonly = appendonly
        self._under = under
        self.port = self.bus_port = 0
        self.run_id = ""
        """Drawn anew by every start of the server."""
        self._options = options
        self._start_s = start_s
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None

    @property
    def url(self) -> str:
        """Where it listens: `redis://127.0.0.1:PORT/0`."""
        return f"redis://{_HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id while it runs, None otherwise."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    @property
    def directory(self) -> Path:
        """Where its data and its log lie."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="stagewright-redis-"))
        return self._directory

    def start(self) -> None:
        """Start and wait until it answers; another port is tried when the first was just taken."""
        if self.pid is not None:
            return
        atexit.register(self.stop)
        fixed = self.port != 0
        for last_try in (False, False, True):
            if not fixed:
                self.port, self.bus_port = free_port(), free_port()
            self._spawn()
            try:
                self._await_answer()
            except Unreachable:
                self.kill()
                if last_try:
                    raise
            else:
                return

    def kill(self) -> None:
        """End it at once (SIGKILL); nothing more is written. The data stay."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port and data, after a kill or in place of the running one."""
        self._end(signal.SIGTERM)
        self.start()

    def stop(self) -> None:
        """End it and remove its directory. Does nothing the second time."""
        self._end(signal.SIGKILL)
        atexit.unregister(self.stop)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def ask(self, *words: str | bytes | int) -> Any:
        """Run one command, once; return the reply as it came, raise what redis-py raises."""
        connection = Connection(  # type: ignore[no-untyped-call]
            host=_HOST, port=self.port, protocol=2, retry=Retry(NoBackoff(), 0), driver_info=None
        )
        try:
            connection.send_command(*words)  # type: ignore[no-untyped-call]
            return connection.read_response()
        finally:
            connection.disconnect()  # type: ignore[no-untyped-call]

    def info(self) -> dict[str, str]:
        """Return what the server says of itself; OSError when it does not."""
        with socket.create_connection((_HOST, self.port), timeout=2.0) as connection:
            connection.sendall(b"INFO server persistence\r\n")
            with connection.makefile("rb") as reply:
                head = reply.readline()
                if not head.startswith(b"$"):
                    raise ConnectionError(head.decode(errors="replace").strip())
                text = reply.read(int(head[1:])).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def info_of(self, section: str) -> dict[str, str]:
        """Return one section of INFO."""
        lines = self.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _spawn(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise Unreachable("redis-server", "not on the PATH", remedy="Install Redis 7 or newer.")
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # found on the PATH, own arguments
                [*self._under, program, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _arguments(self) -> list[str]:
        append = self.appendonly != "no"
        settings = {
            "bind": _HOST,
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes" if append else "no",
            "appendfsync": self.appendonly if append else "everysec",
            "shutdown-timeout": "0",
        }
        if "--cluster-enabled" in self._options:
            settings["cluster-port"] = str(self.bus_port)  # port + 10000 may not exist
        pairs = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [*pairs, *self._options]

    def _await_answer(self) -> None:
        give_up_s = time.monotonic() + self._start_s
        while self.pid is not None and time.monotonic() < give_up_s:
            try:
                info = self.info()
            except (OSError, ValueError):  # not yet listening, or loading its data
                time.sleep(_POLL_S)
                continue
            if int(info["process_id"]) != self.pid:
                break
            if info["loading"] == "0":
                self.run_id = info["run_id"]
                return
            time.sleep(_POLL_S)  # it answers questions about itself while it loads its data
        raise Unreachable("redis-server", self._why(), remedy="Mend what its log names.")

    def _why(self) -> str:
        log = (self.directory / "log").read_text(errors="replace").splitlines()
        return " / ".join(log[-3:]) or "it wrote no log"

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(timeout=self._start_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class RedisCluster(Startable):
    """Masters that share all slots, each with a replica, on free ports with data of their own.

    `start` raises Unreachable when they do not come to agree. All that they know of one another is
    proved to be what was started here.
    """

    def __init__(
        self,
        *,
        masters: int = 3,
        appendonly: AppendOnly = "no",
        node_timeout_ms: int = 2_000,
        start_s: float = 60.0,
    ) -> None:
        settings = {
            "--cluster-enabled": "yes",
            "--cluster-node-timeout": str(node_timeout_ms),
            "--cluster-allow-replica-migration": "no",
            "--repl-diskless-sync-delay": "0",
        }
        options = tuple(word for setting in settings.items() for word in setting)
        self.nodes = [
            RedisServer(appendonly=appendonly, options=options) for _ in range(2 * masters)
        ]
        """First those that begin as masters, then their replicas, in the same order."""
        self._start_s = start_s

    @property
    def url(self) -> str:
        """`redis+cluster://127.0.0.1:PORT,127.0.0.1:PORT,.../`: every node."""
        return "redis+cluster://" + ",".join(f"{_HOST}:{node.port}" for node in self.nodes) + "/"

    def start(self) -> None:
        """Start all nodes, make them one cluster, and wait until each says that it is whole."""
        try:
            for epoch, node in enumerate(self.nodes, 1):
                node.start()
                node.ask("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            self._share_slots()
            self._introduce()
            self.wait_whole()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all nodes and remove their data."""
        for node in self.nodes:
            node.stop()

    def _share_slots(self) -> None:
        masters = self.nodes[: len(self.nodes) // 2]
        for place, node in enumerate(masters):
            first, end = (SLOTS * part // len(masters) for part in (place, place + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)

    def _introduce(self) -> None:
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    node.ask("CLUSTER", "MEET", _HOST, other.port, other.bus_port)
        half = len(self.nodes) // 2
        for master, replica in zip(self.nodes[:half], self.nodes[half:], strict=True):
            id_ = self.id_of(master)
            self._until(lambda r=replica, i=id_: r.ask("CLUSTER", "REPLICATE", i))  # type: ignore[misc]

    def wait_whole(self) -> None:
        """Wait until all nodes that run know one another, and that all slots are served."""
        for node in self.nodes:
            if node.pid is not None:
                self._until(lambda n=node: self._content(n))  # type: ignore[misc]

    def wait_replaced(self, dead: RedisServer) -> None:
        """Wait until all nodes that run have agreed on another master in place of a dead one."""
        for node in self.nodes:
            if node.pid is not None:
                self._until(lambda n=node: dead.port not in _serving(n))  # type: ignore[misc]

    def _content(self, node: RedisServer) -> bool:
        """Whether a node is content, and knows nobody but us."""
        state, role = node.ask("CLUSTER", "INFO"), node.ask("ROLE")
        linked = role[0] == b"master" or role[3] == b"connected"
        known = sorted(line.split()[1].partition(b"@")[0] for line in self._known(node))
        ours = sorted(f"{_HOST}:{other.port}".encode() for other in self.nodes)
        return b"cluster_state:ok" in state and linked and known == ours

    def _known(self, node: RedisServer) -> list[bytes]:
        lines: list[bytes] = node.ask("CLUSTER", "NODES").splitlines()
        return lines

    def id_of(self, node: RedisServer) -> str:
        """Return the name of a node in its cluster."""
        return str(node.ask("CLUSTER", "MYID").decode())

    def followed(self, node: RedisServer) -> bool:
        """Whether a replica has all that a node has at this moment."""
        replication = node.info_of("replication")
        end = int(replication["master_repl_offset"])
        replica = dict(pair.split("=") for pair in replication.get("slave0", "=").split(","))
        return replica.get("state") == "online" and int(replica["offset"]) >= end

    def wait_followed(self, node: RedisServer) -> None:
        """Wait until a replica has all that a node has now."""
        self._until(lambda: self.followed(node))

    def masters(self) -> list[RedisServer]:
        """Return the nodes that run and take writes at this moment."""
        alive = [node for node in self.nodes if node.pid is not None]
        return [node for node in alive if node.ask("ROLE")[0] == b"master"]

    def owner_of(self, slot: int) -> RedisServer:
        """Return the master of a slot, by the word of the first node that runs."""
        teller = next(node for node in self.nodes if node.pid is not None)
        for first, last, master, *_ in teller.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise Unreachable("Redis Cluster", f"nobody serves slot {slot}")

    def move_slot(self, slot: int, target: RedisServer, *, keys_at_once: int = 10) -> None:
        """Move a slot and its keys to another master, as resharding tools do."""
        if self.owner_of(slot) is not target:
            self.begin_move(slot, target)
            self.end_move(slot, target, keys_at_once=keys_at_once)

    def begin_move(self, slot: int, target: RedisServer) -> None:
        """Mark a slot as moving; its keys are where they were."""
        source = self.owner_of(slot)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(target))

    def end_move(self, slot: int, target: RedisServer, *, keys_at_once: int = 10) -> None:
        """Move the keys of a slot that is marked, a few at a time, and give the slot away."""
        source, id_ = self.owner_of(slot), self.id_of(target)
        while source is not target and (
            keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, keys_at_once)
        ):
            source.ask("MIGRATE", _HOST, target.port, "", 0, 5_000, "KEYS", *keys)
        for node in (target, source, *self.masters()):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", id_)

    def _until(self, look: Callable[[], object]) -> None:
        give_up_s = time.monotonic() + self._start_s
        seen: object = None
        while time.monotonic() < give_up_s:
            try:
                seen = look()
            except RedisError as error:
                seen = error
            else:
                if seen:
                    return
            time.sleep(_POLL_S)
        raise Unreachable("Redis Cluster", f"its nodes do not come to agree ({seen})")


def _serving(node: RedisServer) -> set[int]:
    """Return the ports of the masters that a node knows; none while slots are not served."""
    if b"cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
        raise RedisError("the cluster is down")
    return {master[1] for _, _, master, *_ in node.ask("CLUSTER", "SLOTS")}
