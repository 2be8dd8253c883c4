"""The peers as `peers.toml` lists them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("peers.toml")


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the table: a library with settings, and how to run it."""

    name: str
    title: str
    settings: str
    durability: str
    submitter: str
    workflows: int
    """How many run at once for throughput."""
    idle: int
    """How many run one after the other for latency."""
    workers: Sequence[str] = ()
    ready: int = 1
    """How often each worker says that it is ready."""
    environment: Mapping[str, str] = field(default_factory=dict)
    server: str | None = None
    venv: str | None = None
    node: str | None = None
    ours: str | None = None
    """The backend, for rows of our own."""


@cache
def listed() -> Mapping[str, Any]:
    """Return the file's content."""
    return tomllib.loads(LIST.read_text("utf-8"))


def all_peers() -> list[Peer]:
    """Return every peer, ours first."""
    return [Peer(**entry) for entry in listed()["peer"]]


def chosen(names: str) -> list[Peer]:
    """Return the peers whose names begin with one of `names` (comma separated); all for none."""
    wanted = tuple(name.strip() for name in names.split(",") if name.strip())
    found = [peer for peer in all_peers() if not wanted or peer.name.startswith(wanted)]
    if not found:
        known = ", ".join(peer.name for peer in all_peers())
        raise SystemExit(f"error: no peer named {names}; there are: {known}")
    return found
