"""Every command line that a document shows names a command and options that there are."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "reference" / "cli.md").read_text("utf-8")
SECTION = re.compile(r"^## `stagewright (.+?)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^\$ (stagewright .+)$", re.MULTILINE)
PAGES = sorted(page for page in DOCS.rglob("*.md") if SHOWN.search(page.read_text("utf-8")))


@cache
def options() -> dict[str, set[str]]:
    """The options of each command, from the page that is generated from the commands."""
    return {
        re.split(r" [A-Z\[]", usage)[0]: set(re.findall(r"--[a-z-]+", body))
        for usage, body in SECTION.findall(REFERENCE)
    }


def wrong(line: str) -> str | None:
    """Say what is wrong with a command line, None when nothing is."""
    words = shlex.split(line, comments=True)[1:]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in options()), None)
    if name is None:
        return f"no such command: {line}"
    given = {word for word in words if word.startswith("--")}
    unknown = given - options()[name]
    return f"{name} has no {', '.join(sorted(unknown))}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_command_line_that_is_shown_is_one(page: Path) -> None:
    lines = SHOWN.findall(page.read_text("utf-8"))
    assert [found for line in lines if (found := wrong(line.partition(" > ")[0]))] == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("stagewright workflow approve ID --as ann", None),
        ("stagewright workflow aprove ID", "no such command: stagewright workflow aprove ID"),
        ("stagewright doctor --fix", "doctor has no --fix"),
    ],
)
def test_a_command_line_that_is_none_is_found(line: str, found: str | None) -> None:
    assert wrong(line) == found
