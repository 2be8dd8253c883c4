"""What people should mend about the file: its place, its disk, and the SQLite that opens it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from stagewright.ports.health import Concern

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs",
        "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
    }
)  # fmt: skip
"""Kinds of file systems whose files several machines can have open."""
LITTLE_BYTES = 100_000_000
NOTHING_BYTES = 1_000_000
"""No step fits into less for sure."""
MENDED = (3, 51, 3)
"""The first SQLite without the defect that damages a database when its log is reset."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def of_version(version: str) -> Iterator[Concern]:
    """Name a defect of this very SQLite that loses data."""
    if tuple(int(part) for part in version.split(".")) < MENDED:
        found = f"SQLite {version} may damage the file when it resets its log"
        yield Concern("version", serious=True, found=found, remedy="Install apsw 3.51.3 or newer.")


def of_place(path: Path) -> Iterator[Concern]:
    """Name a file system that is shared by machines: locks and syncs cannot be relied on there."""
    kind = file_system(path)
    if kind in NETWORK:
        found = f"{path} lies on a network file system ({kind}), where it may be damaged"
        remedy = "Move it to a local disk and change `url`; for several machines use Redis."
        yield Concern("file system", serious=True, found=found, remedy=remedy)


def of_space(path: Path, full: str) -> Iterator[Concern]:
    """Name a disk that is full (in its own words) or has little space left."""
    if full:
        remedy = "Free some space; work goes on by itself."
        yield Concern("space", serious=True, found=full, remedy=remedy)
        return
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return
    if free < LITTLE_BYTES:
        found = f"{free / 1_000_000:.1f} MB are free on the disk of {path}"
        remedy = "Free some space: without any, nothing new is accepted."
        yield Concern("space", serious=free < NOTHING_BYTES, found=found, remedy=remedy)


def file_system(path: Path) -> str:
    """Return the kind of file system that a path lies on; empty where the system does not tell."""
    try:
        lines = MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    kinds = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        where = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), before.split()[4])
        kinds[Path(where)] = after.split()[0]  # what was mounted later lies on top
    return next((kinds[place] for place in (path, *path.parents) if place in kinds), "")
