from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.machine import cpu_s, description, family, look, memory_bytes, watched

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
IDLE = "import sys; print('up', flush=True); sys.stdin.read()"


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as one:
        yield one


def test_the_time_of_a_child_counts_while_it_lives_and_when_it_has_ended() -> None:
    with watched([os.getpid()]) as usage, child(BURN):
        pass
    assert usage.cpu_s >= 0.25
    assert usage.seconds > 0


def test_a_stranger_is_not_counted_with_a_family() -> None:
    with child(IDLE) as one, child(IDLE) as other:
        assert [seen.pid for seen in family([one.pid])] == [one.pid]
        assert {seen.parent for seen in family([one.pid, other.pid])} == {os.getpid()}


def test_a_family_holds_the_children_of_children() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {IDLE!r}])"
    with child(code) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "up\n"
        assert len(family([one.pid])) == 2
        assert memory_bytes([one.pid]) > 2_000_000


def test_who_has_ended_is_nobody() -> None:
    with child("") as one:
        one.wait()
    assert look(one.pid) is None
    assert cpu_s([one.pid]) == 0
    assert memory_bytes([one.pid]) == 0


def test_work_of_ones_own_children_is_not_foreign() -> None:
    with watched([]) as usage, child(BURN):
        time.sleep(0)
    cores = os.cpu_count() or 1
    assert 0 <= usage.foreign_cores <= cores


def test_a_machine_is_described_in_one_line() -> None:
    assert "cores" in description()
    assert "\n" not in description()
