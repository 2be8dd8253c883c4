"""The page about testing shows tests that pass, and that fail when they should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.documents import blocks

PAGE = "docs/how-to/test-your-workflow.md"


def outcome_of(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of the page on its workflow."""
    article, *_ = blocks(PAGE, "python")
    (folder / "article.py").write_text(article)
    (folder / "test_article.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_every_example_passes(tmp_path: Path) -> None:
    _, *examples = blocks(PAGE, "python")
    done = outcome_of(tmp_path, "\n\n".join(examples))
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"), [("draft 2", "draft 7"), ('match="1 app', 'match="2 app')]
)
def test_an_example_that_expects_something_else_fails(
    tmp_path: Path, right: str, wrong: str
) -> None:
    _, first, second, _ = blocks(PAGE, "python")
    done = outcome_of(tmp_path, f"{first}\n\n{second}".replace(right, wrong))
    assert done.returncode == 1
    assert "1 failed" in done.stdout
