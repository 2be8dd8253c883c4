"""The stream of one workflow: its log from a position on, then what the hub tells."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.feed_hub import Hub
from stagewright.application.feed_places import MARK_CHARACTERS, LogPlace
from stagewright.application.feed_seat import Seat, Word
from stagewright.application.feed_told import (
    Chunk,
    Facts,
    Message,
    Said,
    Told,
    fits_kind,
    mark_of_note,
    told_note,
    told_step,
)
from stagewright.application.feed_words import closed, gap, message
from stagewright.application.live import Live, load_one
from stagewright.domain.errors import WorkflowNotFound
from stagewright.domain.progress import progress
from stagewright.domain.public_events import ENDINGS
from stagewright.ports.backend import Backend
from stagewright.ports.live import HEARTBEAT, Wanted

STEPS_AT_ONCE = 200
BEAT = Chunk([Message(HEARTBEAT)])
OPENED = Chunk()


class WorkflowStream:
    """Tells one reader one workflow. Its position is in the log, so the hub's does not matter."""

    def __init__(
        self, backend: Backend, catalog: Catalog, hub: Hub, workflow_id: str, wanted: Wanted
    ) -> None:
        self._backend, self._catalog, self._hub = backend, catalog, hub
        self._id, self._wanted = workflow_id, wanted
        self._place = LogPlace()
        self._facts = Facts()
        self._read_before: set[str] = set()
        """Notes that were read from the store, and that the hub may yet tell as well."""
        self._ended = False

    async def exists(self) -> Live:
        """Return the workflow as it is; WorkflowNotFound."""
        live = await load_one(self._backend, self._catalog, self._id)
        if live is None:
            raise WorkflowNotFound(self._id)
        self._facts = Facts(live.state.name, dict(live.state.labels))
        return live

    async def chunks(self, seat: Seat, place: LogPlace) -> AsyncGenerator[Chunk]:
        """Tell everything behind a place, until the workflow has ended."""
        self._place = place
        if place.ended and await self._knows(place):
            return
        yield OPENED
        async for chunk in self._history(seat):
            yield chunk
        while not self._ended:
            batch = await seat.next()
            if batch is None or batch.word is Word.STOP:
                yield Chunk([closed("slow" if batch is None else "stopping", self._place.spell())])
                return
            if batch.word is Word.SETTLED:
                self._read_before.clear()
            elif batch.word is Word.GAP or self._missed(batch.told):
                async for chunk in self._history(seat):
                    yield chunk
            elif batch.word is Word.BEAT:
                yield BEAT
            elif messages := [*batch.ephemeral(self._wanted), *self._messages(batch.told)]:
                yield Chunk(messages)

    async def _history(self, seat: Seat) -> AsyncGenerator[Chunk]:
        """Tell what the store has behind the place; what the hub tells meanwhile waits."""
        if not await self._knows(self._place):
            yield await self._resynchronised()
        notes, lost = await self._notes()
        if lost:
            yield Chunk([gap("Notes behind your position were dropped.", what="notes")])
        while not self._ended:
            page = await self._backend.store.log(
                self._id, "steps", self._place.complete, STEPS_AT_ONCE
            )
            records = [orjson.loads(body) for body in page]
            messages = self._merged(records, notes, last=len(page) < STEPS_AT_ONCE)
            if messages:
                yield Chunk(messages)
            if len(page) < STEPS_AT_ONCE:
                break
        if self._read_before:
            self._hub.settle(seat)
        if not self._ended and (await self.exists()).state.status.terminal:
            yield Chunk(await self._late_end())

    async def _knows(self, place: LogPlace) -> bool:
        """Whether the log still holds the step that a place names."""
        if place.step == 0:
            return True
        found = await self._backend.store.log(self._id, "steps", place.step - 1, 1)
        return bool(found) and str(orjson.loads(found[0])["id"]).startswith(place.mark)

    async def _resynchronised(self) -> Chunk:
        """Say that the log is another one than the reader followed, and where it stands now."""
        live = await self.exists()
        state = live.state
        last = await self._backend.store.log(self._id, "steps", state.step - 1, 1)
        mark = str(orjson.loads(last[0])["id"])[:MARK_CHARACTERS] if last else ""
        self._place = LogPlace(state.step, mark, note=self._place.note)
        now = {
            "workflow_id": self._id,
            "definition": state.name,
            "status": state.status.value,
            "progress": progress(live.compiled.plan, state),
            "step": state.step,
            "current_stage": state.current_stage,
            "active_stages": list(state.active_stages),
            "at_ms": state.updated_at_ms,
        }
        return Chunk([gap(), message("snapshot", now, self._place.spell())])

    async def _notes(self) -> tuple[list[Told], bool]:
        """Return the notes behind the place, and whether some may be missing before them."""
        if not self._wanted.notes:
            return [], False
        bodies = list(await self._backend.store.log(self._id, "notes"))
        marks = [mark_of_note(body) for body in bodies]
        self._read_before.update(marks)
        behind, lost = 0, False
        if self._place.note:
            lost = self._place.note not in marks
            behind = 0 if lost else len(marks) - marks[::-1].index(self._place.note)
        return [told_note(self._id, body, self._facts) for body in bodies[behind:]], lost

    def _merged(
        self, records: Sequence[dict[str, Any]], notes: list[Told], *, last: bool
    ) -> list[Message]:
        """Return steps with the notes that were made before them, and at last all notes."""
        messages: list[Message] = []
        for record in records:
            while notes and _at_ms(notes[0]) < record["at_ms"]:
                messages += self._note(notes.pop(0))
            messages += self._step(told_step(self._id, record, self._facts))
        while last and notes and not self._ended:
            messages += self._note(notes.pop(0))
        return messages

    def _missed(self, told: Sequence[Told]) -> bool:
        """Whether a step was told whose predecessor was not."""
        first = next((one.step for one in told if one.step > self._place.complete), None)
        return first is not None and first != self._place.complete + 1

    def _messages(self, told: Sequence[Told]) -> list[Message]:
        messages: list[Message] = []
        for one in told:
            if one.step == 0:
                known = one.mark in self._read_before
                messages += () if known else self._note(one)
            elif one.step > self._place.complete:
                messages += self._step(one)
        return messages

    def _note(self, note: Told) -> list[Message]:
        if not self._wanted.notes or self._ended:
            return []
        self._place = self._place._replace(note=note.mark)
        return self._wrapped(note.said[0])

    def _step(self, told: Told) -> list[Message]:
        """Return the events of a step that were not told, and the end if it is one of them."""
        begin = self._place.part if told.step == self._place.step else 0
        self._place = self._place._replace(step=told.step, mark=told.mark, part=0)
        messages: list[Message] = []
        for part, said in enumerate(told.said[begin:], start=begin):
            rest = part + 1 if part + 1 < len(told.said) else 0
            self._place = self._place._replace(part=rest)
            messages += self._wrapped(said)
        ending = next((said for said in told.said if said.kind in ENDINGS), None)
        if ending is not None:
            messages += self._end(orjson.loads(ending.body))
        return messages

    def _wrapped(self, said: Said) -> list[Message]:
        if not fits_kind(said, self._wanted):
            return []
        return [Message(said.kind, said.body, self._place.spell())]

    def _end(self, event: dict[str, Any]) -> list[Message]:
        self._ended = True
        self._place = self._place._replace(ended=True)
        told = {name: event.get(name) for name in ("workflow_id", "status", "reason", "at_ms")}
        return [message("end", told, self._place.spell())]

    async def _late_end(self) -> list[Message]:
        """Return the end for a reader who was told the last step before."""
        state = (await self.exists()).state
        if state.step != self._place.complete:
            return []
        return self._end(
            {
                "workflow_id": self._id,
                "status": state.status.value,
                "reason": state.ending.reason if state.ending else None,
                "at_ms": state.updated_at_ms,
            }
        )


def _at_ms(note: Told) -> int:
    return int(orjson.loads(note.said[0].body)["at_ms"])
