"""Finding the door of whoever owns a SQLite file, by reading the record that lies beside it.

The lock of the file is the truth, and is only asked when this finds nothing; but most commands come
while somebody runs `dev`, and then they need neither the database's code nor its lock.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from stagewright.entrypoints.addresses import sqlite_path

SUFFIX = ".owner"
_START_FIELD = 19
"""Where /proc/PID/stat has the process's start, counted behind its name."""


class DoorRecord(NamedTuple):
    """Where a door was last said to be."""

    address: str
    token: str


def door_of(url: str) -> DoorRecord | None:
    """Return the door of the living owner of a SQLite URL; None when there is none to be seen."""
    path = sqlite_path(url)
    try:
        record = orjson.loads(path.with_name(path.name + SUFFIX).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(record, dict) or not _alive(record):
        return None
    address, token = record.get("address"), record.get("token")
    return DoorRecord(address, token) if address and token else None


def _alive(record: dict[str, Any]) -> bool:
    """Whether the very process lives that wrote the record: a token is for nobody else."""
    pid, started = record.get("pid"), record.get("process_started")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
        found = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's process, or a system without /proc: the door will tell
    return not started or int(found[_START_FIELD]) == started
