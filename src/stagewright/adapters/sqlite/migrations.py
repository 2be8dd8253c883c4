"""Bringing a file to the schema this version works with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib import resources

import apsw

from stagewright.adapters.sqlite.connection import Session
from stagewright.adapters.sqlite.failures import translated
from stagewright.domain.errors import ConfigurationError
from stagewright.ports.backend import BackendOptions

APPLICATION_ID = 0x53575247
"""`SWRG`, in the file's header: tells our files from those of other programs."""
MIGRATIONS = ("schema.sql", "inbox_leases.sql", "schema_audit.sql")
"""Scripts in order; the file's user_version says how many of them it has seen."""
DEFAULT_PARTITIONS = 1
"""One process owns the file, so more partitions gain nothing here."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """What is fixed when a file is created."""

    name: str
    incarnation: str
    partitions: int


def prepare(session: Session, options: BackendOptions) -> Namespace:
    """Create or upgrade the schema in one transaction; return what the file holds.

    Raise ConfigurationError for a file of another program, of a newer version, or of another
    namespace; such a file is left as it is.
    """
    try:
        with session.db:
            _upgrade(session, options)
        return _namespace(session, options)
    except apsw.Error as error:
        raise translated(error, session.path) from error


def _upgrade(session: Session, options: BackendOptions) -> None:
    seen = _pragma(session, "user_version")
    _refuse_strangers(session, seen)
    for number, script in enumerate(MIGRATIONS[seen:], seen + 1):
        for _ in session.db.execute(_script(script)):
            pass
        session.rows_of(f"PRAGMA user_version = {number}")
    if seen == 0:
        session.rows_of(f"PRAGMA application_id = {APPLICATION_ID}")
        _found(session, options)


def _refuse_strangers(session: Session, version: int) -> None:
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            "url",
            f"{session.path} has schema {version}; this version knows {len(MIGRATIONS)}.",
            remedy="Upgrade Stagewright, or name another file.",
        )
    ours = _pragma(session, "application_id") == APPLICATION_ID
    used = bool(session.rows_of("SELECT 1 FROM sqlite_schema LIMIT 1"))
    if used and not ours:
        raise ConfigurationError(
            "url",
            f"{session.path} is a database of another program.",
            remedy="Name another file; this one was left as it is.",
        )


def _found(session: Session, options: BackendOptions) -> None:
    partitions = options.partitions or DEFAULT_PARTITIONS
    facts = (
        ("namespace", options.namespace),
        ("incarnation", secrets.token_hex(4)),
        ("reserved", 0),
        ("trimmed", 0),
    )
    session.change_many("set_meta", facts)
    session.change_many("insert_partition", [(number,) for number in range(partitions)])


def _namespace(session: Session, options: BackendOptions) -> Namespace:
    name, incarnation = (meta(session, fact) for fact in ("namespace", "incarnation"))
    if name != options.namespace:
        raise ConfigurationError(
            "namespace",
            f"{session.path} holds namespace {name!r}, not {options.namespace!r}.",
            remedy="Name another file, or use its namespace.",
        )
    return Namespace(name, incarnation, len(session.rows("select_partitions")))


def meta(session: Session, name: str) -> str:
    """Return a fact about the namespace."""
    ((value,),) = session.rows("select_meta", (name,))
    return str(value)


def _pragma(session: Session, name: str) -> int:
    ((value,),) = session.rows_of(f"PRAGMA {name}")
    return int(value)


def _script(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")
