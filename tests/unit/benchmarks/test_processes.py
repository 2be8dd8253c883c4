from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.machine import family, look
from benchmarks.processes import Failed, Process

ECHO = """
import sys
print("hello", file=sys.stderr, flush=True)
print("READY", flush=True)
for line in sys.stdin:
    print("not an answer", flush=True)
    print('{"order": "%s"}' % line.strip(), flush=True)
"""
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('READY', "
code += "flush=True); time.sleep(600)"
subprocess.run([sys.executable, "-c", code], start_new_session=True)
"""


def started(code: str, folder: Path) -> Process:
    return Process([sys.executable, "-c", code], os.environ, folder / "one.log", folder=folder)


def runs(pid: int) -> bool:
    """Whether it is more than a name that nobody has asked after yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_is_awaited_asked_and_ended(tmp_path: Path) -> None:
    process = started(ECHO, tmp_path)
    try:
        process.await_ready(1, 30)
        assert process.ask("batch 5", 30) == {"order": "batch 5"}
    finally:
        process.end()
    assert look(process.pid) is None
    assert (tmp_path / "one.log").read_text().splitlines() == ["hello", "not an answer"]


def test_a_process_that_ends_early_says_its_last_words(tmp_path: Path) -> None:
    process = started("raise SystemExit('no such luck')", tmp_path)
    try:
        with pytest.raises(Failed, match=r"one ended too early: no such luck"):
            process.await_ready(1, 30)
    finally:
        process.end()


def test_an_answer_that_does_not_come_is_a_failure(tmp_path: Path) -> None:
    process = started("import sys; print('READY', flush=True); sys.stdin.read()", tmp_path)
    try:
        process.await_ready(1, 30)
        with pytest.raises(Failed, match=r"did not answer 'batch 1' within 0 s"):
            process.ask("batch 1", 0.1)
    finally:
        process.end()


def test_who_does_not_listen_is_ended_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.processes.GRACE_S", 0.2)
    process = started(STUBBORN, tmp_path)
    process.await_ready(1, 30)
    members = [seen.pid for seen in family([process.pid])]
    process.end()
    assert len(members) == 2
    give_up = time.monotonic() + 30
    while any(map(runs, members)) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not any(map(runs, members))
