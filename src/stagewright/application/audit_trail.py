"""Writing down what somebody asked for: before it is tried, and again when its end is known."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from stagewright.application.actor import Actor
from stagewright.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    StagewrightError,
    UsageError,
    ValidationFailed,
)
from stagewright.ports.audit import FIELD_LIMIT, AuditEntry, IAudit, Outcome
from stagewright.ports.system import IClock, IIdentifiers

log = structlog.get_logger(__name__)

BATCH = 256
DETAIL_LIMIT = 500
REFUSALS_A_MINUTE = 60
"""Attempts that changed nothing are written down so often; of the others their number.

So whoever holds a key that may do nothing cannot fill the store with what they may not.
"""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REFUSALS = (Conflict, Forbidden, NotFound, UsageError, ValidationFailed)


@dataclass(slots=True)
class Note:
    """What is to be said of a change once it is made."""

    target: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


class AuditTrail:
    """Entries of one process, those of the same moment written in one call."""

    def __init__(self, audit: IAudit, clock: IClock, ids: IIdentifiers) -> None:
        self._audit, self._clock, self._ids = audit, clock, ids
        self._waiting: list[tuple[AuditEntry, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._minute, self._refusals, self._left_out = -1, 0, 0

    @asynccontextmanager
    async def change(
        self, actor: Actor, action: str, target: str, before: dict[str, Any] | None = None
    ) -> AsyncIterator[Note]:
        """Write an entry, let the block make the change, and complete the entry.

        The block fills in the note. Nothing is tried while the entry cannot be written. A process
        that dies in between leaves an entry whose outcome is unknown.
        """
        begun = self._entry(actor, action, target, before=before or {})
        await self._write(begun)
        note = Note(target, before or {})
        try:
            yield note
        except StagewrightError as error:
            await self._complete(begun, note, outcome_of(error), _why(error))
            raise
        except Exception as error:
            await self._complete(begun, note, "failed", type(error).__name__)
            raise
        await self._complete(begun, note, "done", "")

    async def refused(
        self, actor: Actor, action: str, target: str, error: StagewrightError
    ) -> None:
        """Write down an attempt that came to nothing, unless there were too many this minute."""
        if not self._room_for_refusal():
            return
        left_out, self._left_out = self._left_out, 0
        more = f" ({left_out} more were not written down)" if left_out else ""
        detail = _why(error) + more
        entry = self._entry(actor, action, target, outcome=outcome_of(error), detail=detail)
        try:
            await self._write(entry)
        except StagewrightError as failure:  # the attempt's own error is what its caller needs
            log.warning("audit_entry_lost", action=action, error=str(failure))

    def _room_for_refusal(self) -> bool:
        minute = int(self._clock.monotonic_s() / 60)
        if minute != self._minute:
            self._minute, self._refusals = minute, 0
        self._refusals += 1
        if self._refusals > REFUSALS_A_MINUTE:
            self._left_out += 1
            return False
        return True

    def _entry(self, actor: Actor, action: str, target: str, **given: Any) -> AuditEntry:
        now_ms = self._clock.now_ms()
        return AuditEntry(
            entry_id=f"{now_ms:013d}-{self._ids.uuid7()}",
            at_ms=now_ms,
            actor=plain(actor.name),
            key_id=actor.key_id,
            door=actor.door,
            action=plain(action),
            target=plain(target),
            **given,
        )

    async def _complete(self, begun: AuditEntry, note: Note, outcome: Outcome, detail: str) -> None:
        told = {
            "outcome": outcome,
            "target": plain(note.target),
            "before": note.before,
            "after": note.after,
            "detail": detail,
        }
        try:
            await self._write(begun.model_copy(update=told))
        except StagewrightError as failure:  # the change is made or not; its entry says unknown
            log.warning("audit_entry_not_completed", entry=begun.entry_id, error=str(failure))

    async def _write(self, entry: AuditEntry) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._run())
        await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._one_call(batch)
        finally:
            self._writing = None

    async def _one_call(self, batch: list[tuple[AuditEntry, asyncio.Future[None]]]) -> None:
        error: BaseException | None = None
        try:
            await self._audit.put([entry for entry, _ in batch], self._clock.now_ms())
        except BaseException as caught:  # noqa: BLE001  # every caller must learn of it
            error = caught
        for _, future in batch:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        if error is not None and not isinstance(error, Exception):
            raise error


def outcome_of(error: StagewrightError) -> Outcome:
    """Return what an error says of the change that met it."""
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    return "refused" if isinstance(error, _REFUSALS) else "failed"


def plain(text: str) -> str:
    """Return text of bounded length without control characters."""
    return _UNPRINTABLE.sub(" ", text)[:FIELD_LIMIT]


def _why(error: StagewrightError) -> str:
    return _UNPRINTABLE.sub(" ", error.message)[:DETAIL_LIMIT]
