"""Who owns the file: one process, known by a lock beside it.

The operating system's lock on `FILE.owner` is the truth: it ends with its process, however that
ends. What the lock file says (process id, times, the door's address and token) only informs others
and may be stale when nobody holds the lock. The lock file is never deleted: somebody could be about
to lock it.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from stagewright.domain.errors import OwnedElsewhere, StoreFailed

_RECORD_BYTES = 1_024
"""Records are padded to one size, so that one write replaces the other and none is seen torn."""


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """What the lock file tells."""

    pid: int
    process_started: int
    """Clock ticks between the machine's start and the process's: tells a reused pid; 0 unknown."""
    owned_since_ms: int
    address: str | None = None
    """Where the owner's door listens on loopback; None: it has none (yet)."""
    token: str | None = None


class Owner:
    """The right to the file, held from `acquire` to `release`."""

    def __init__(self, descriptor: int, record: OwnerRecord) -> None:
        self._descriptor, self._record = descriptor, record

    @classmethod
    def acquire(cls, path: Path, now_ms: int) -> Owner:
        """Take the file; raise OwnedElsewhere while another has it, StoreFailed without access."""
        lock_path = lock_path_of(path)
        try:
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _no_access(lock_path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            owner = cls(descriptor, OwnerRecord(os.getpid(), _process_started(), now_ms))
            owner._write(owner._record)
        except BlockingIOError:
            found = _read(descriptor)
            os.close(descriptor)
            raise _owned(path, found) from None
        except OSError as error:
            os.close(descriptor)
            raise _no_access(lock_path, error) from error
        return owner

    def publish_door(self, address: str, token: str) -> None:
        """Tell other processes of this user where the owner listens, and what opens the door."""
        self._record = replace(self._record, address=address, token=token)
        self._write(self._record)

    def release(self) -> None:
        """Give the file up. The record goes first: a token must not lie about."""
        os.pwrite(self._descriptor, b" " * _RECORD_BYTES, 0)
        os.close(self._descriptor)

    def _write(self, record: OwnerRecord) -> None:
        os.fchmod(self._descriptor, 0o600)  # whoever made the file: others must not read the token
        os.pwrite(self._descriptor, orjson.dumps(asdict(record)).ljust(_RECORD_BYTES), 0)


def lock_path_of(path: Path) -> Path:
    """Return where the lock of a database lies."""
    return path.with_name(path.name + ".owner")


def _read(descriptor: int) -> OwnerRecord | None:
    """Return the record, None while its owner is just writing the first one."""
    try:
        return OwnerRecord(**orjson.loads(os.pread(descriptor, _RECORD_BYTES, 0)))
    except (ValueError, TypeError):
        return None


def _owned(path: Path, found: OwnerRecord | None) -> OwnedElsewhere:
    if found is None:
        return OwnedElsewhere(str(path))
    return OwnedElsewhere(str(path), pid=found.pid, address=found.address, token=found.token)


def _no_access(path: Path, error: OSError) -> StoreFailed:
    return StoreFailed(
        str(path),
        f"it cannot be created or written ({error.strerror})",
        remedy="Make the folder writable, or name another one.",
    )


def _process_started() -> int:
    try:
        stat = Path("/proc/self/stat").read_text("ascii")
    except OSError:
        return 0  # not every system has it
    return int(stat.rpartition(")")[2].split()[19])
