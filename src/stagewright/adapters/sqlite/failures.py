"""What SQLite reports, in the words of the domain. Driver errors are translated here only."""

from __future__ import annotations

import apsw

from stagewright.domain.errors import (
    OutcomeUnknown,
    StagewrightError,
    StoreFailed,
    StoreFull,
    UsageError,
)

_CAUSES: tuple[tuple[type[apsw.Error], str, str], ...] = (
    (apsw.ReadOnlyError, "the file or its folder is read-only", "Make both writable."),
    (apsw.CantOpenError, "the file cannot be opened", "Check the path and its permissions."),
    (apsw.PermissionsError, "access was denied", "Make the file and its folder writable."),
    (
        apsw.NotADBError,
        "the file is not an SQLite database",
        "Name another file; this one was left as it is.",
    ),
    (
        apsw.CorruptError,
        "the database is damaged",
        "Restore a backup, or save what can be read with `sqlite3 FILE .recover`.",
    ),
    (
        apsw.BusyError,
        "another program has locked the file",
        "Close the program that has it open for writing.",
    ),
    (apsw.IOError, "reading or writing failed", "Check the disk and the system's log."),
    (apsw.NoMemError, "memory is exhausted", "Free some memory."),
)


_NO_ROOM = "Free some space. What was answered before is safe, and work goes on by itself."


def translated(error: apsw.Error, path: str) -> StagewrightError:
    """Return the domain's error for one of the driver's."""
    if isinstance(error, apsw.TooBigError):
        return UsageError("A value is larger than the store can hold (1 GB).")
    if is_full(error):
        return StoreFull(path, f"the disk is full ({error})", remedy=_NO_ROOM)
    for kind, reason, remedy in _CAUSES:
        if isinstance(error, kind):
            return StoreFailed(path, f"{reason} ({error})", remedy=remedy)
    return StoreFailed(path, f"{type(error).__name__}: {error}", remedy="This is a defect.")


def is_full(error: apsw.Error) -> bool:
    """Whether there was no space; the shared index of the log says so in words of its own."""
    code = getattr(error, "extendedresult", None)
    return isinstance(error, apsw.FullError) or code == apsw.SQLITE_IOERR_SHMSIZE


def of_commit(error: apsw.Error, path: str) -> StagewrightError:
    """Return the domain's error for a COMMIT that failed.

    SQLite takes back what it could not write; only after an I/O error it cannot tell what of it
    will be found when the file is opened again.
    """
    if isinstance(error, apsw.IOError) and not is_full(error):
        return OutcomeUnknown(path, str(error))
    return translated(error, path)
