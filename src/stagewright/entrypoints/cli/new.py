"""`stagewright new`: a project of one's own in one command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from stagewright.domain.errors import Conflict, UsageError
from stagewright.entrypoints.cli.flags import AsJson

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PROJECT = {
    "workflow.py": "workflow.py",
    "tests/test_workflow.py": "test_workflow.py",
    "stagewright.toml": "stagewright.toml",
    "pyproject.toml": "pyproject.toml",
    ".gitignore": "gitignore",
}
"""Files of a new project and what they are made from."""


def new(
    name: Annotated[
        str, typer.Argument(help="Name of the project and its workflow.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Make a folder with an agent, a workflow, a passing test and a toml."""
    from stagewright.entrypoints.cli.output import print_json, say

    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a workflow.",
            remedy="Use a lower-case letter, then letters, digits, - and _; at most 63.",
        )
    folder = Path(name)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"The folder {name} exists and is not empty.", remedy="Choose another name.")
    written = write_project(folder, name)
    if as_json:
        print_json({"folder": str(folder), "files": written})
        return
    for path in written:
        typer.echo(path)
    say(f"\ncd {shlex.quote(name)} && stagewright dev .", style="bold")


def write_project(folder: Path, name: str) -> list[str]:
    """Write the files of a new project and return their paths."""
    from importlib.resources import files
    from keyword import iskeyword
    from string import Template

    source = files(__package__) / "project"
    module = name.replace("-", "_")
    words = {"name": name, "module": f"{module}_" if iskeyword(module) else module}
    written = []
    for path, template in _PROJECT.items():
        text = Template((source / f"{template}.txt").read_text()).substitute(words)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        written.append(str(target))
    return written
