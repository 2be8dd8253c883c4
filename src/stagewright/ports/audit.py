"""Who changed what: a record of every change that somebody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["unknown", "done", "refused", "failed"]
"""unknown: it was about to be tried, or its answer was lost. done: it is in force. refused: it was
not allowed, or did not apply. failed: it was tried and did not happen."""

FIELD_LIMIT = 200
"""Characters of an actor, action or target; what is longer is cut."""


class AuditEntry(BaseModel):
    """One change that somebody asked for."""

    model_config = ConfigDict(frozen=True)

    entry_id: str = Field(pattern=r"^[0-9]{13}-[0-9a-z]{1,40}$")
    """The instant, then what makes it unique: the order of entries is that of their ids."""
    at_ms: int
    """When it was asked for."""
    actor: str
    """The name of a key, `owner`, `developer`, or a user of this machine."""
    key_id: str = ""
    door: str = ""
    """The way in: `api` or `cli`."""
    action: str
    """Noun and verb: `workflow.cancel`."""
    target: str
    outcome: Outcome = "unknown"
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    """What was changed, small: status and step, or the fields in question."""
    detail: str = ""
    """Why it was refused or failed."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """All that are given must hold."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    cursor: str | None = None
    limit: int = 50
    """At most 1,000."""


class AuditPage(BaseModel):
    """Entries, newest first; `cursor` continues, None at the end."""

    entries: list[AuditEntry]
    cursor: str | None = None


class IAudit(Protocol):
    """Entries are kept for the retention of the backend's options, whatever their number."""

    async def put(self, entries: Sequence[AuditEntry], now_ms: int) -> None:
        """Write entries, all or none; one whose id is there is replaced.

        They are as durable as what is written after them. Entries whose time is over go meanwhile,
        at least two for each one that is written.
        """
        ...

    async def list(self, query: AuditQuery, now_ms: int) -> AuditPage:
        """Return entries, newest first, those whose time is over left out.

        A cursor outlives the entry it was made of. A page may hold fewer entries than asked for,
        or none, and a cursor: where filters are combined, a page looks at 5,000 entries.
        """
        ...


class IAuditReader(Protocol):
    """What may be asked of the audit."""

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return entries, newest first."""
        ...


SCANNED = 5_000
"""Entries that one page looks at where filters are combined."""


def oldest_id(now_ms: int, retention_ms: int) -> str:
    """Return the id before which entries have lived for their time."""
    return f"{max(0, now_ms - retention_ms):013d}"


def fits(entry: AuditEntry, query: AuditQuery) -> bool:
    """Whether an entry is asked for, its place in the list apart."""
    return all(getattr(entry, name) == value for name, value in _filters(query).items())


def narrowest(query: AuditQuery) -> tuple[str | None, str, bool]:
    """Return the filter that leaves the fewest entries, its value, and whether others remain."""
    filters = _filters(query)
    name = next(iter(filters), None)
    return name, filters.get(name or "", ""), len(filters) > 1


def page_of(bodies: Sequence[bytes], query: AuditQuery, *, scanned: int) -> AuditPage:
    """Return the page that a scan of at most `scanned` entries found, newest first, as JSON."""
    entries = [AuditEntry.model_validate_json(body) for body in bodies]
    found = [entry for entry in entries if fits(entry, query)]
    page = found[: query.limit]
    if len(found) > len(page):
        return AuditPage(entries=page, cursor=page[-1].entry_id)
    more = len(entries) == scanned
    return AuditPage(entries=page, cursor=entries[-1].entry_id if more else None)


def _filters(query: AuditQuery) -> dict[str, str]:
    asked = {"target": query.target, "actor": query.actor, "action": query.action}
    return {name: value for name, value in asked.items() if value is not None}
