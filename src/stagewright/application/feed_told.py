"""What is told of the feed: each event encoded once, for all who read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from stagewright.application.feed_places import MARK_CHARACTERS, FeedPlace
from stagewright.domain.public_events import Public, events_of, note_of
from stagewright.ports.live import Wanted
from stagewright.ports.message_bus import FeedEntry


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream; `body` is JSON."""

    event: str
    body: bytes = b""
    id: str | None = None


Form = Callable[[Message], bytes]
"""How a message looks on some wire."""


class Chunk:
    """Messages that go out together. Readers of the same chunk share its bytes."""

    __slots__ = ("_wires", "messages")

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.messages = messages
        self._wires: dict[Form, bytes] = {}

    def wire(self, form: Form) -> bytes:
        """Return the bytes of all messages in a form, made once."""
        found = self._wires.get(form)
        if found is None:
            found = self._wires[form] = b"".join(map(form, self.messages))
        return found


@dataclass(frozen=True, slots=True)
class Facts:
    """What filters ask of a workflow. None: it is not known."""

    definition: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """One event, encoded."""

    kind: str
    status: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """A step or a note, as it is told."""

    workflow_id: str
    step: int
    """0: a note."""
    mark: str
    """How the step's id begins; a note's hash."""
    said: Sequence[Said]
    facts: Facts = field(default_factory=Facts)
    before: str = ""
    """The feed's cursor before this entry, and behind it."""
    cursor: str = ""

    @property
    def size_bytes(self) -> int:
        """About what it takes to keep this."""
        return sum(len(said.body) for said in self.said) + 2 * len(self.cursor)

    def messages(self, wanted: Wanted, told: int = 0) -> Iterable[Message]:
        """Return the messages for readers of the global stream behind the first `told` events."""
        if not _fits(self, wanted):
            return
        for part, said in enumerate(self.said, start=1):
            if part > told and fits_kind(said, wanted):
                yield Message(said.kind, said.body, self._id(part))

    def _id(self, part: int) -> str:
        if part == len(self.said):
            return self.cursor
        return FeedPlace(self.before, self.workflow_id, self.step, part).spell()


def fits_kind(said: Said, wanted: Wanted) -> bool:
    """Whether a reader wants events like this one."""
    if wanted.kinds and said.kind not in wanted.kinds:
        return False
    return not wanted.statuses or said.status in wanted.statuses


def _fits(told: Told, wanted: Wanted) -> bool:
    if wanted.workflow_ids and told.workflow_id not in wanted.workflow_ids:
        return False
    if wanted.definition is not None and told.facts.definition != wanted.definition:
        return False
    if wanted.label is not None and told.facts.labels.get(wanted.label[0]) != wanted.label[1]:
        return False
    return wanted.notes or told.step > 0


def told_step(workflow_id: str, record: Mapping[str, Any], facts: Facts) -> Told:
    """Return a step record as it is told."""
    mark = str(record["id"])[:MARK_CHARACTERS]
    said = [_said(event, facts) for event in events_of(workflow_id, record)]
    return Told(workflow_id, record["n"], mark, said, facts)


def told_note(workflow_id: str, body: bytes, facts: Facts) -> Told:
    """Return a note as it is told."""
    return Told(
        workflow_id,
        0,
        mark_of_note(body),
        [_said(note_of(workflow_id, orjson.loads(body)), facts)],
        facts,
    )


def told_entry(entry: FeedEntry, before: str, facts: Facts, record: Mapping[str, Any]) -> Told:
    """Return an entry of the feed as it is told; `record` is its body, decoded."""
    if entry.kind == "step":
        told = told_step(entry.workflow_id, record, facts)
    else:
        told = told_note(entry.workflow_id, entry.body, facts)
    return Told(told.workflow_id, told.step, told.mark, told.said, facts, before, entry.cursor)


def mark_of_note(body: bytes) -> str:
    """Return what tells a note from others of its workflow."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def _said(event: Public, facts: Facts) -> Said:
    if facts.definition is not None:
        event.setdefault("definition", facts.definition)
    return Said(event["kind"], event.get("status"), orjson.dumps(event))
