"""What agents tell over HTTP: durable events once, and both kinds within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.application import notes
from stagewright.application.context import Bounds
from stagewright.application.runner_deltas import DeltaBuffer, DeltaWriter
from stagewright.application.runner_notes import NoteWriter
from stagewright.domain.errors import ValidationFailed
from stagewright.domain.ids import TaskId
from stagewright.ports.agent_desk import Emitted, Events, Lease
from stagewright.ports.message_bus import IMessageBus, Message
from stagewright.ports.system import IClock
from stagewright.ports.workflow_store import IWorkflowStore

KEPT = 10_000
DELTA_CHARACTERS_PER_S = 32_768
"""Of one lease: more is dropped, as nobody reads so fast."""
MAX_NOTES = 1_000


@dataclass(slots=True)
class Told:
    """What one lease has told so far."""

    number: int = 0
    size: int = 0
    truncated: bool = False
    streamed: int = 0
    allowance: float = DELTA_CHARACTERS_PER_S
    allowed_at_s: float = 0.0
    deltas: DeltaBuffer | None = None


class Telling:
    """Takes events of leases that the caller has checked."""

    def __init__(
        self, bus: IMessageBus, store: IWorkflowStore, clock: IClock, bounds: Bounds
    ) -> None:
        self._store, self._clock, self._bounds = store, clock, bounds
        self._notes, self._deltas = NoteWriter(bus, clock), DeltaWriter(bus, clock)
        self._told: OrderedDict[tuple[str, int], Told] = OrderedDict()

    def duties(self) -> tuple[NoteWriter, DeltaWriter]:
        """Return what must run meanwhile."""
        return self._notes, self._deltas

    async def emit(self, lease: Lease, events: Events) -> Emitted:
        """Take events in order; durable ones are durable when this returns."""
        read = [_read(index, event) for index, event in enumerate(events.events)]
        told = await self._of(lease)
        task, taken, dropped, next_ = TaskId.parse(lease.task), 0, 0, events.first
        for kind, facts in read:
            if kind == "delta":
                dropped += not await self._stream(task, told, facts["text"])
                continue
            if next_ is not None:
                next_ += 1
                if next_ - 1 <= told.number:  # it was taken before, and only the answer was lost
                    taken += 1
                    continue
            kept = await self._keep(lease, task, told, kind, facts)
            taken, dropped = taken + kept, dropped + (not kept)
        if taken:
            await self._notes.flush()
        return Emitted(taken=taken, dropped=dropped)

    async def _of(self, lease: Lease) -> Told:
        """Return what a lease has told; the store knows what it told at another server."""
        key = (lease.task, lease.token)
        told = self._told.get(key)
        if told is None:
            told = await self._remembered(lease)
            told = self._told.setdefault(key, told)
            if len(self._told) > KEPT:
                self._told.popitem(last=False)
        self._told.move_to_end(key)
        return told

    async def _remembered(self, lease: Lease) -> Told:
        told = Told(allowed_at_s=self._clock.monotonic_s())
        workflow_id = TaskId.parse(lease.task).workflow_id
        for body in await self._store.log(workflow_id, "notes", 0, MAX_NOTES):
            row = orjson.loads(body)
            if row.get("task") == lease.task and row.get("token") == lease.token:
                told.number = max(told.number, row["number"])
                told.size += len(body)
                told.truncated = told.truncated or row["kind"] == "truncated"
        return told

    async def _keep(
        self, lease: Lease, task: TaskId, told: Told, kind: notes.Kind, facts: dict[str, Any]
    ) -> bool:
        """Note something unless the lease has told enough; say once that it has."""
        if told.truncated:
            return False
        full = told.number >= self._bounds.notes or told.size >= self._bounds.note_bytes
        if full:
            told.truncated = True
            kind, facts = "truncated", {"notes": told.number, "bytes": told.size}
        told.number += 1
        now_ms = self._clock.now_ms()
        body = notes.note(kind, task, now_ms, told.number, token=lease.token, **facts)
        told.size += len(body)
        await self._notes.add(Message(task.workflow_id, body))
        return not full

    async def _stream(self, task: TaskId, told: Told, text: str) -> bool:
        now_s = self._clock.monotonic_s()
        gained = (now_s - told.allowed_at_s) * DELTA_CHARACTERS_PER_S
        told.allowance = min(told.allowance + gained, DELTA_CHARACTERS_PER_S)
        told.allowed_at_s = now_s
        if len(text) > told.allowance:
            return False
        told.allowance -= len(text)
        if told.deltas is None:

            def encode(piece: str) -> bytes:
                told.streamed += 1
                return notes.delta(task, told.streamed, piece)

            told.deltas = DeltaBuffer(self._deltas, task.workflow_id, encode)
        await told.deltas.add(text)
        return True

    async def close(self, lease: Lease) -> None:
        """Show what is left of a lease that ends, and forget it."""
        told = self._told.pop((lease.task, lease.token), None)
        if told is not None and told.deltas is not None:
            await told.deltas.flush()


def _read(index: int, event: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return kind and facts of an event within bounds; ValidationFailed names what is wrong."""
    where = f"events.{index}"
    kind = event.get("event")
    if kind == "log":
        facts = {
            "level": notes.cut(_text(event, where, "level", "info")),
            "message": notes.cut(_text(event, where, "message")),
        }
        if event.get("fields") is not None:
            facts["fields"] = notes.bounded(event["fields"])
        return kind, facts
    if kind == "tool_call":
        facts = {name: notes.cut(_text(event, where, name, "")) for name in ("call", "name")}
        return kind, {**facts, "arguments": notes.bounded(event.get("arguments"))}
    if kind == "tool_result":
        call = notes.cut(_text(event, where, "call"))
        facts = {"call": call, "result": notes.bounded(event.get("result"))}
        if event.get("error") is not None:
            facts["error"] = notes.cut(_text(event, where, "error"))
        return kind, facts
    if kind == "artifact":
        facts = {name: notes.cut(_text(event, where, name)) for name in ("name", "hash")}
        size = event.get("bytes")
        if type(size) is not int or size < 0:
            raise ValidationFailed(f"{where}.bytes: expected a size in bytes.")
        return kind, {**facts, "bytes": size}
    if kind == "delta":
        return kind, {"text": _text(event, where, "text")}
    raise ValidationFailed(
        f"{where}.event: {str(kind)[:40]!r} is not known.",
        remedy="Expected log, tool_call, tool_result, artifact or delta.",
    )


def _text(event: Mapping[str, Any], where: str, field: str, default: str | None = None) -> str:
    value = event.get(field, default)
    if not isinstance(value, str):
        raise ValidationFailed(f"{where}.{field}: expected text, found {type(value).__name__}.")
    return value
