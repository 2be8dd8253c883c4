"""Writes src/stagewright/sync.pyi: what type checkers see of the generated synchronous client.

A test holds the file against what is written here: run this after a change of the client.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stagewright.entrypoints.client import access, bulk, commands, details, live, queries, stock
from stagewright.entrypoints.client.stagewright import Stagewright

STUB = Path(__file__).resolve().parents[1] / "src" / "stagewright" / "sync.pyi"
MODULES = (commands, queries, details, bulk, live, stock, access)
HEAD = """
class Stagewright:
    def __init__(
        self, url: str | None = None, *, namespace: str | None = None, token: str | None = None
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
"""


def stub() -> str:
    """Return the stub's text."""
    methods = "".join(_method(name, method) for name, method in _methods())
    body = HEAD + methods
    text = "\n".join(_imports(body)) + "\n" + body
    for command in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        words = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"]
        text = subprocess.run(words, input=text, check=True, capture_output=True, text=True).stdout
    return text


def _methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, method in inspect.getmembers(Stagewright, inspect.isfunction):
        if not name.startswith("_"):
            yield name, method


def _method(name: str, method: Callable[..., Any]) -> str:
    signature = inspect.signature(method)
    parts, starred = ["self"], False
    for one in list(signature.parameters.values())[1:]:
        if one.kind is one.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        prefix = "**" if one.kind is one.VAR_KEYWORD else ""
        default = "" if one.default is one.empty else f" = {one.default!r}"
        parts.append(f"{prefix}{one.name}: {one.annotation}{default}")
    returned = str(signature.return_annotation).replace("AsyncIterator", "Iterator")
    lines = "".join(f"        {part},\n" for part in parts)
    if parts[-1].startswith("**"):
        lines = lines[:-2] + "\n"  # nothing may follow `**`
    return f"    def {name}(\n{lines}    ) -> {returned}: ...\n"


def _imports(body: str) -> Iterator[str]:
    known = {"Iterator": "collections.abc", "Self": "typing"}
    for module in MODULES:
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                known.update({alias.name: str(node.module) for alias in node.names})
    known |= {
        "Choice": live.__name__,
        "Decision": commands.__name__,
        "Filters": queries.__name__,
    }
    for name, home in sorted(known.items(), key=lambda item: (item[1], item[0])):
        if re.search(rf"\b{name}\b", body):
            yield f"from {home} import {name}"


def main() -> int:
    """Write the stub."""
    STUB.write_text(stub())
    return 0


if __name__ == "__main__":
    sys.exit(main())
