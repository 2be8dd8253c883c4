"""Redis with `appendfsync always`: nothing is answered before it is on the disk."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from stagewright.adapters.redis import open_backend
from stagewright.adapters.system.clock import SystemClock
from stagewright.ports.backend import BackendOptions
from stagewright.testing.servers import AppendOnly, RedisServer
from tests.faults import syscalls
from tests.faults.receipts import COMMANDS, Office, Receipt, missing

CUTS = 50
SEED = 20261122


@dataclass(frozen=True)
class Traced:
    """What clerks were told, what the server did, and its files as they were in the end."""

    receipts: list[Receipt]
    results: int
    evidence: syscalls.Evidence
    files: Path


async def traced(folder: Path, mode: AppendOnly, commands: int) -> Traced:
    trace = folder / "trace"
    with RedisServer(appendonly=mode, under=syscalls.tracer(trace)) as server:
        async with open_backend(server.url, BackendOptions(), SystemClock()) as backend:
            office = Office(backend, lambda _: None)
            await office.work(commands)
        pid = server.pid
        server.kill()
        files = folder / "files"
        shutil.copytree(server.directory / "appendonlydir", files)
    assert pid is not None
    tokens = {receipt.token for receipt in office.receipts}
    found = syscalls.examine(syscalls.calls(trace, pid), tokens)
    return Traced(office.receipts, office.results, found, files)


@pytest.fixture(scope="module")
def always(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return anyio.run(traced, tmp_path_factory.mktemp("always"), "always", COMMANDS)


def test_no_answer_leaves_before_its_sync(always: Traced) -> None:
    assert len(always.receipts) == COMMANDS + always.results
    assert always.results == COMMANDS // 4
    assert always.evidence.answered == {receipt.token for receipt in always.receipts}
    assert always.evidence.early == []


def test_where_tracing_is_forbidden_the_check_fails_and_says_what_to_allow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It never passes, and is never skipped, without having looked."""
    forbidden = tmp_path / "strace"
    forbidden.write_text("#!/bin/sh\necho 'ptrace: Operation not permitted' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(AssertionError, match=r"Operation not permitted\s.*ptrace_scope"):
        syscalls.tracer(tmp_path / "trace")
    forbidden.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssertionError, match="not on the PATH"):
        syscalls.tracer(tmp_path / "trace")


async def test_the_trace_shows_answers_that_leave_early(tmp_path: Path) -> None:
    """The same look at a server that syncs once a second: it would see what is never there."""
    everysec = await traced(tmp_path, "everysec", COMMANDS // 10)
    assert len(everysec.evidence.early) > len(everysec.receipts) // 2


async def test_a_cut_at_the_last_sync_loses_nothing_that_was_answered(always: Traced) -> None:
    chance = random.Random(SEED)
    moments = sorted(
        chance.sample(always.evidence.moments, CUTS), key=lambda moment: moment.synced_bytes
    )
    assert moments[0].synced_bytes < moments[-1].synced_bytes / 2
    with RedisServer(appendonly="always") as server:
        for moment in moments:
            server.kill()
            size = chance.choice(
                [moment.synced_bytes, chance.randint(moment.synced_bytes, moment.written_bytes)]
            )
            leave(always.files, server.directory / "appendonlydir", size)
            server.start()
            told = [r for r in always.receipts if r.token in moment.answered]
            async with open_backend(server.url, BackendOptions(), SystemClock()) as backend:
                assert await missing(backend, told) == [], (size, moment)


def leave(files: Path, into: Path, size: int) -> None:
    """Put the append-only files where a server looks for them, the growing one cut to a size."""
    shutil.rmtree(into)
    shutil.copytree(files, into)
    (growing,) = into.glob("*.incr.aof")
    with growing.open("r+b") as file:
        file.truncate(size)
