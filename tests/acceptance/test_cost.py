"""A stage does not get dearer unnoticed: processor time is compared, never the wall's clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cost

ROOT = Path(__file__).resolve().parents[2]
TWICE_AS_DEAR = """
import sys
from benchmarks import cost
from stagewright.application import stepper

decide = stepper.decide

def slowly(*given):
    for number in range(40):
        cost.turn(number)
    return decide(*given)

stepper.decide = slowly
sys.argv = ["cost", "memory"]
sys.exit(cost.main())
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: no test's objects and plug-ins stand in the way."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_a_stage_costs_no_more_than_was_recorded(backend: str) -> None:
    done = python("-m", "benchmarks.cost", backend)
    assert done.returncode == 0, done.stderr


def test_a_stage_that_got_twice_as_dear_is_noticed() -> None:
    done = python("-c", TWICE_AS_DEAR)
    assert done.returncode == 1, done.stdout
    assert "Find what got dearer" in done.stderr


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_the_margin_is_wide_and_ends(backend: str) -> None:
    expected = cost.recorded()[backend]
    assert cost.verdict(backend, expected * 1.5) is None
    assert cost.verdict(backend, expected * 1.7) is not None
