"""Connections to the one file, and the statements that run on them.

Every connection is apsw's. The same file must never be opened with the standard library's
`sqlite3` in this process: two copies of SQLite do not see one another's file locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import apsw

from stagewright.adapters.sqlite.failures import translated

Row = tuple[Any, ...]
Values = Sequence[Any]

_BUSY_MS = 5_000
_STATEMENTS_CACHED = 200
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA cache_size = -32000",
    "PRAGMA temp_store = MEMORY",
)


def load_statements() -> Mapping[str, str]:
    """Return the text of every statement by the name of its file."""
    folder = resources.files(__package__) / "sql"
    return {
        file.name.removesuffix(".sql"): file.read_text("utf-8").strip()
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def connect(path: Path, *, writable: bool) -> apsw.Connection:
    """Open the file, which exists; raise StoreFailed when it cannot be used."""
    try:
        db = apsw.Connection(
            str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=_STATEMENTS_CACHED
        )
        db.set_busy_timeout(_BUSY_MS)
        for setting in _SETTINGS:
            db.execute(setting).fetchall()
        if not writable:
            db.execute("PRAGMA query_only = ON").fetchall()
    except apsw.Error as error:
        raise translated(error, str(path)) from error
    return db


class Session:
    """Statements by name on one connection, used by one thread at a time."""

    def __init__(self, db: apsw.Connection, statements: Mapping[str, str], path: str) -> None:
        self.db, self.path = db, path
        self._cursor, self._statements = db.cursor(), statements

    def rows(self, name: str, values: Values | Mapping[str, Any] = ()) -> list[Row]:
        """Run a statement; return all its rows."""
        return self.rows_of(self._statements[name], values)

    def rows_of(self, sql: str, values: Values | Mapping[str, Any] = ()) -> list[Row]:
        """Run a text that was made of statements; return all its rows."""
        try:
            return self._cursor.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def row(self, name: str, values: Values = ()) -> Row | None:
        """Run a statement; return its first row."""
        found = self.rows(name, values)
        return found[0] if found else None

    def change(self, name: str, values: Values = ()) -> int:
        """Run a statement; return the number of rows it changed."""
        self.rows(name, values)
        return self.db.changes()

    def change_many(self, name: str, many: Iterable[Values]) -> None:
        """Run a statement for each sequence of values."""
        try:
            self._cursor.executemany(self._statements[name], many).fetchall()
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def statement(self, name: str) -> str:
        """Return a statement's text."""
        return self._statements[name]

    def close(self) -> None:
        """Close the connection; what cannot be moved out of the log stays there, safely."""
        with suppress(apsw.Error):
            self._cursor.close()
            self.db.close()
