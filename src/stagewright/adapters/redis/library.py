"""The Function library: one Lua function per file, assembled and named by its content.

Functions of two versions can be loaded at once, so processes of an old and a new release share a
server: function names carry the version, as the library's does.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

SHARED_ORDER = (
    "batch",
    "lists",
    "history",
    "record",
    "queue",
    "staged",
    "feed",
    "inbox",
    "letters",
    "claims",
    "values",
    "audit",
)
"""Pieces that functions have in common, each after those it uses."""

_FLAGS = re.compile(r"^-- Flags: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Library:
    """What the server is given."""

    name: str
    source: str
    functions: dict[str, str]
    """Our name to the name on the server."""
    read_only: frozenset[str]
    """Our names of the functions that write nothing."""


@cache
def library() -> Library:
    """Assemble the library from the files in `functions`."""
    folder = files(__package__) / "functions"
    shared = [(folder / "shared" / f"{name}.lua").read_text("utf-8") for name in SHARED_ORDER]
    sources = {file.name.removesuffix(".lua"): file.read_text("utf-8") for file in _lua(folder)}
    version = hashlib.sha256("\0".join((*shared, *sources.values())).encode()).hexdigest()[:8]
    flags = {name: _flags(source) for name, source in sources.items()}
    names = {name: f"{name}_{version}" for name in sources}
    parts = [
        f"#!lua name=stagewright_{version}",
        *shared,
        *(_register(names[name], name, sources[name], flags[name]) for name in sources),
    ]
    reading = frozenset(name for name in sources if "no-writes" in flags[name])
    return Library(f"stagewright_{version}", "\n".join(parts), names, reading)


def _lua(folder: Traversable) -> list[Traversable]:
    found = [file for file in folder.iterdir() if file.name.endswith(".lua")]
    return sorted(found, key=lambda file: file.name)


def _flags(source: str) -> list[str]:
    found = _FLAGS.search(source)
    return found[1].split() if found else []


def _register(public: str, name: str, source: str, flags: list[str]) -> str:
    listed = ", ".join(f"'{flag}'" for flag in flags)
    return (
        f"do\n{source}\nredis.register_function{{function_name = '{public}', "
        f"callback = {name}, flags = {{{listed}}}}}\nend"
    )
