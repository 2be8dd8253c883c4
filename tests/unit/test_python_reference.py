"""The page about the Python interface names what there is, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import stagewright
from stagewright.entrypoints.client.stagewright import Stagewright

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md"
ROW = re.compile(r"^\| `(.+?)` \|", re.MULTILINE)
WORD = re.compile(r"\w+")


def shown() -> set[str]:
    """The first public name of each row: `await workflow.run(..)` shows what a Workflow does."""
    names = set(stagewright.__all__)
    return {name for row in ROW.findall(PAGE.read_text()) for name in WORD.findall(row)[:1]} & names


def test_every_public_name_has_a_row() -> None:
    decorated = {"agent"} if "`@agent(" in PAGE.read_text() else set()
    assert shown() | decorated == set(stagewright.__all__)


def test_every_method_of_the_client_is_named_and_no_other() -> None:
    listed = PAGE.read_text().partition("The client's methods")[2]
    methods = {name for name in dir(Stagewright) if not name.startswith("_")} - {"of", "over"}
    assert set(re.findall(r"`(\w+)`", listed)) == methods


def test_the_facts_of_a_context_are_there() -> None:
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith("| `AgentContext"))
    named = set(re.findall(r"`(?:await ctx\.)?(\w+)`", row)) - {"AgentContext", "ctx"}
    assert named <= set(dir(stagewright.AgentContext))
    assert {"feedback", "idempotency_key", "log", "artifact"} <= named


def test_the_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = tmp_path / "shipping.py"
    script.write_text(example)
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert done.stdout == "completed lamp, attempt 1\n"
