"""Services in processes of their own: started, found again, stopped.

Two kinds. A *supervised* service (tests, e2e) dies with the process that started it. A *detached*
one (deployment) outlives it. Both say where they listen in an address file, because only the
service itself can choose a free port without a race; both leave a record with pid and birth.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio
from anyio.to_thread import run_sync as in_thread
from pydantic import BaseModel, ConfigDict, ValidationError

from examples.delivery.errors import ServiceNotStarted
from examples.delivery.processes import ProcessId

GUARD = Path(__file__).with_name("guard.py")
START_LIMIT_S = 10.0
POLL_S = 0.01
LOG_TAIL_CHARACTERS = 800
RECORD, ADDRESS, LOG = "service.json", "service.address", "service.log"


class ServiceRecord(BaseModel):
    """What is known about a service that was started; kept in `service.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    process: ProcessId
    address: str = ""
    """`http://host:port`, empty until the service has said where it listens."""


class ServiceCommand(BaseModel):
    """How to start a generated service: `python -m package` inside `code`, keeping `database`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    code: Path
    database: Path
    release: str = ""
    port: int = 0

    def arguments(self, address: Path) -> list[str]:
        """The module and its arguments; the service writes where it listens into `address`."""
        return [
            self.package,
            *("--database", str(self.database)),
            *("--port", str(self.port)),
            *("--address-file", str(address)),
            *(("--release", self.release) if self.release else ()),
        ]


@contextmanager
def lifeline() -> Iterator[int]:
    """The reading end of a pipe that ends with this block, or with this process."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


@asynccontextmanager
async def supervised(command: ServiceCommand, folder: Path) -> AsyncIterator[ServiceRecord]:
    """A service that runs inside this block and never outlives this process."""
    _forget(folder)
    with lifeline() as pipe:
        process = _watched(command, folder, pipe)
        try:
            yield await _started(command, folder, process.pid)
        finally:
            process.terminate()
            with anyio.CancelScope(shield=True):
                await in_thread(_reap, process)
            _forget(folder)


async def detached(command: ServiceCommand, folder: Path) -> ServiceRecord:
    """Start a service that goes on after this process; its record stays in `folder`."""
    _forget(folder)
    pid = await in_thread(_launch, command, folder)
    return await _started(command, folder, pid)


def read_record(folder: Path) -> ServiceRecord | None:
    """The record of the service in `folder`, whether it still runs or not."""
    try:
        return ServiceRecord.model_validate_json((folder / RECORD).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def running(folder: Path) -> ServiceRecord | None:
    """The service of `folder` if its very process still runs."""
    record = read_record(folder)
    return record if record is not None and record.process.alive else None


def stop(folder: Path) -> ServiceRecord | None:
    """End the service of `folder`; returns its record, or None if it did not run."""
    record = read_record(folder)
    ended = record is not None and record.process.end()
    _forget(folder)
    return record if ended else None


def folders_with_services(folder: Path) -> Iterator[Path]:
    """Every folder at or below `folder` in which a service was started."""
    for record in sorted(folder.rglob(RECORD)):
        yield record.parent


def log_tail(folder: Path) -> str:
    """The end of what the service in `folder` wrote."""
    try:
        text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text.strip()[-LOG_TAIL_CHARACTERS:]


def _python(*arguments: str) -> list[str]:
    # Isolated and without site-packages: a generated service must need nothing but Python.
    return [sys.executable, "-I", "-S", str(GUARD), *arguments]


def _watched(command: ServiceCommand, folder: Path, pipe: int) -> subprocess.Popen[bytes]:
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            _python("watch", str(pipe), *command.arguments(folder / ADDRESS)),
            cwd=command.code,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(pipe,),
            start_new_session=True,
        )
    _note(folder, command.package, process.pid)
    return process


def _launch(command: ServiceCommand, folder: Path) -> int:
    """Start a detached service and let it go once its record is written; returns its pid."""
    with subprocess.Popen(
        _python("detach", str(folder / LOG), *command.arguments(folder / ADDRESS)),
        cwd=command.code,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as launcher:
        printed = launcher.stdout.readline() if launcher.stdout else b""
        if not printed or launcher.stdin is None:
            raise ServiceNotStarted("no process came up", log_tail(folder))
        pid = int(printed)
        _note(folder, command.package, pid)
        launcher.stdin.write(b"!")
    return pid


def _note(folder: Path, name: str, pid: int, address: str = "") -> ServiceRecord | None:
    process = ProcessId.of(pid)
    if process is None:
        return None
    record = ServiceRecord(name=name, process=process, address=address)
    aside = folder / f".{RECORD}"
    aside.write_text(record.model_dump_json(indent=2), encoding="utf-8")
    aside.replace(folder / RECORD)
    return record


async def _started(command: ServiceCommand, folder: Path, pid: int) -> ServiceRecord:
    """Wait until the service has written its address; `ServiceNotStarted` says why it did not."""
    until = time.monotonic() + START_LIMIT_S
    while not (address := _read_address(folder)):
        if running(folder) is None:
            raise ServiceNotStarted("its process ended", log_tail(folder))
        if time.monotonic() > until:
            stop(folder)
            raise ServiceNotStarted(f"no address after {START_LIMIT_S:g} s", log_tail(folder))
        await anyio.sleep(POLL_S)
    record = _note(folder, command.package, pid, address)
    if record is None:
        raise ServiceNotStarted("its process ended", log_tail(folder))
    return record


def _read_address(folder: Path) -> str:
    try:
        return (folder / ADDRESS).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _forget(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (RECORD, ADDRESS):
        with suppress(FileNotFoundError):
            (folder / name).unlink()
