"""How a process says that it is ready."""

from __future__ import annotations

import os
from typing import Any

from stagewright.entrypoints.cli.output import print_json, say


def announce(what: str, *, as_json: bool, **facts: Any) -> None:
    """Say once that the process does its work: a JSON line on standard output, or a remark."""
    told = {name: value for name, value in facts.items() if value not in (None, [], ())}
    if as_json:
        print_json({"ready": what, "pid": os.getpid(), **told})
        return
    rest = "  ".join(f"{name} {_text(value)}" for name, value in told.items())
    say(f"{what} is ready  {rest}", style="green")


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
