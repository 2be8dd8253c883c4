"""Which processes have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagewright.adapters.system import processes
from stagewright.adapters.system.processes import SystemProcesses

SAY_WHO = (
    "import sys\nfrom stagewright.adapters.system.processes import SystemProcesses\n"
    "print(SystemProcesses().mine(), flush=True)\nsys.stdin.read()"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", SAY_WHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def name_of(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().decode().strip()


def changed(name: str, place: int, value: str) -> str:
    parts = name.split("/")
    parts[place] = value
    return "/".join(parts)


def test_a_process_that_lives_has_not_ended(child: subprocess.Popen[bytes]) -> None:
    seen, name = SystemProcesses(), name_of(child)
    assert f"/{child.pid}/" in name
    assert seen.mine() != name
    assert not seen.ended(name)
    assert not seen.ended(seen.mine())


def test_one_that_was_killed_has_ended_also_before_anybody_took_note(
    child: subprocess.Popen[bytes],
) -> None:
    name = name_of(child)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table
    assert SystemProcesses().ended(name)
    child.wait()
    assert SystemProcesses().ended(name)


def test_another_process_of_the_same_number_is_not_taken_for_it() -> None:
    seen = SystemProcesses()
    assert seen.ended(changed(seen.mine(), -1, "1"))


def test_nothing_is_known_of_other_hosts_boots_and_namespaces(
    child: subprocess.Popen[bytes],
) -> None:
    name = name_of(child)
    child.kill()
    child.wait()
    for place in range(3):
        assert not SystemProcesses().ended(changed(name, place, "other"))


@pytest.mark.parametrize("name", ["", "/", "a/b/c/d/e", "nonsense", "//////", "a/1/2"])
def test_nothing_is_known_of_what_is_no_name(name: str) -> None:
    assert not SystemProcesses().ended(name)


def test_one_that_is_hidden_is_taken_for_alive(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_of(child)
    monkeypatch.setattr(processes, "_stat", lambda _: None)
    assert not SystemProcesses().ended(name)


def test_where_the_system_says_nothing_nobody_has_a_name_or_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = changed(SystemProcesses().mine(), -1, "1")
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert SystemProcesses().mine() == ""
    assert not SystemProcesses().ended(name)
