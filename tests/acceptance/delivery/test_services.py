"""Services end with their supervisor, or outlive their starter: whichever is meant."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.delivery import services
from examples.delivery.errors import ServiceNotStarted
from examples.delivery.http_client import send
from examples.delivery.processes import ProcessId
from examples.delivery.services import ServiceCommand, ServiceRecord
from tests.acceptance.delivery.driver import Built

ROOT = Path(__file__).parents[3]
STARTER = """
import sys, anyio
from pathlib import Path
from examples.delivery.services import ServiceCommand, detached, supervised

command = ServiceCommand(package="todo", code=Path(sys.argv[2]), database=Path(sys.argv[3]))

async def supervise():
    async with supervised(command, Path(sys.argv[4])) as service:
        print(service.address, flush=True)
        await anyio.sleep_forever()

async def leave():
    print((await detached(command, Path(sys.argv[4]))).address, flush=True)

anyio.run(supervise if sys.argv[1] == "supervise" else leave)
"""


@pytest.fixture
def command(todo: Built, tmp_path: Path) -> ServiceCommand:
    todo.delivery.repository.export(todo.commit, tmp_path / "code")
    return ServiceCommand(package="todo", code=tmp_path / "code", database=tmp_path / "records.db")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "service"
    folder.mkdir()
    yield folder
    services.stop(folder)


def starter(how: str, command: ServiceCommand, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, how, command.code, command.database, folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def gone_at_the_end(address: str) -> Iterator[None]:
    """Hold a connection through the block; afterwards its other end must close it."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            return


async def test_a_supervised_service_ends_with_its_block(
    command: ServiceCommand, folder: Path
) -> None:
    async with services.supervised(command, folder) as service:
        assert send(service.address, "GET", "/health").status == 200
    assert not service.process.alive
    assert services.read_record(folder) is None


def test_a_supervised_service_dies_with_a_killed_supervisor(
    command: ServiceCommand, folder: Path
) -> None:
    with starter("supervise", command, folder) as supervisor:
        assert supervisor.stdout is not None
        address = supervisor.stdout.readline().strip()
        assert send(address, "GET", "/health").status == 200
        with gone_at_the_end(address):
            supervisor.send_signal(signal.SIGKILL)


def test_a_detached_service_outlives_its_starter(command: ServiceCommand, folder: Path) -> None:
    with starter("leave", command, folder) as starting:
        address = starting.communicate(timeout=20)[0].strip()
    assert starting.returncode == 0
    assert send(address, "GET", "/health").status == 200
    stopped = services.stop(folder)
    assert stopped is not None
    assert not stopped.process.alive


async def test_a_service_that_ends_at_once_is_reported_with_its_log(
    command: ServiceCommand, folder: Path
) -> None:
    unknown = command.model_copy(update={"package": "no_such_package"})
    with pytest.raises(ServiceNotStarted, match="no_such_package") as not_started:
        await services.detached(unknown, folder)
    assert "No module named" in not_started.value.log


def test_a_recycled_pid_is_never_killed(folder: Path) -> None:
    ours = ProcessId(pid=os.getpid(), born="in another life")
    record = ServiceRecord(name="todo", process=ours, address="http://127.0.0.1:1")
    (folder / services.RECORD).write_text(record.model_dump_json())
    assert services.stop(folder) is None
    assert services.running(folder) is None


def test_the_record_of_a_stopped_service_is_gone(command: ServiceCommand, folder: Path) -> None:
    starter("leave", command, folder).communicate(timeout=20)
    assert services.running(folder) is not None
    services.stop(folder)
    assert services.read_record(folder) is None
    assert services.stop(folder) is None


def test_a_process_that_ended_but_was_not_waited_for_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = ProcessId.of(process.pid)
        assert known is not None
        assert known.alive
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not known.alive
