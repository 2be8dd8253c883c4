"""Keeps `docs/explanation/main-path.md` true: every place it names is where it says.

Run it to bring the line numbers up to date; `--check` only tells which are wrong.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "main-path.md"
PLACE = re.compile(r"`(?P<path>src/[\w/.]+\.py):(?P<line>\d+)`(?P<gap>\s+)`(?P<name>\w+)`")


def line_of(path: str, name: str) -> int:
    """Return the line that defines a function; LookupError when the file has no such function."""
    tree = ast.parse((ROOT / path).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node.lineno
    msg = f"{path} defines no {name}"
    raise LookupError(msg)


def renewed(text: str) -> str:
    """Return the page with the line numbers of now."""

    def place(found: re.Match[str]) -> str:
        line = line_of(found["path"], found["name"])
        return f"`{found['path']}:{line}`{found['gap']}`{found['name']}`"

    return PLACE.sub(place, text)


def main() -> int:
    """Renew the page, or with `--check` say whether it is true."""
    text = PAGE.read_text()
    if "--check" in sys.argv[1:]:
        return int(renewed(text) != text)
    PAGE.write_text(renewed(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
