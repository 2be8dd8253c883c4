"""Dead letters by cause, and many at once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import structlog

from stagewright.application.notes import note_of_letter
from stagewright.domain.errors import (
    NotFound,
    StagewrightError,
    UsageError,
    ValidationFailed,
)
from stagewright.domain.places import At
from stagewright.ports.backend import Backend
from stagewright.ports.control import ICommands
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.letter_desk import (
    GROUPED,
    LetterAction,
    LetterFate,
    LetterGroup,
    LetterGroups,
    LetterReport,
)
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

PAGE = 500
AT_ONCE = 1_000
SHOWN = 20
_TASK = re.compile(r"p\d+-[0-9a-zA-Z]+/([a-z][a-z0-9_-]*)/\d+/\d+")
_VARYING = re.compile(r"p\d+-[0-9a-zA-Z]+(?:/[\w-]+)*|\b[0-9a-f]{8,}\b|'[^']*'|\"[^\"]*\"|\d+")
_STAGE = re.compile(rb'"stage"\s*:\s*"([a-z][a-z0-9_-]{0,62})"')
_LOOKED_AT_BYTES = 4_096


def cause_of(reason: str) -> str:
    """Return a reason without ids, numbers and quoted values: what differs between letters."""
    return _VARYING.sub("…", reason)[:300]


def stage_of(letter: DeadLetter) -> str | None:
    """Return the stage a letter is about, as far as its text tells."""
    found = _STAGE.search(letter.body[:_LOOKED_AT_BYTES])
    if found is not None:
        return found[1].decode()
    named = _TASK.search(letter.reason)
    return None if named is None else named[1]


class LetterDesk:
    """Implements `ILetterDesk` over a backend."""

    def __init__(self, backend: Backend, commands: ICommands, clock: IClock) -> None:
        self._backend, self._commands, self._clock = backend, commands, clock

    async def groups(self, workflow_id: str | None = None) -> LetterGroups:
        """Return letters by cause."""
        found: dict[tuple[str, str | None], list[DeadLetter]] = {}
        count = 0
        async for letter in self._letters(workflow_id):
            count += 1
            found.setdefault((cause_of(letter.reason), stage_of(letter)), []).append(letter)
        groups = [_group(cause, stage, letters) for (cause, stage), letters in found.items()]
        groups.sort(key=lambda group: (-group.count, -group.last_at_ms))
        return LetterGroups(groups=groups, letters=count, complete=count < GROUPED)

    async def _letters(self, workflow_id: str | None) -> AsyncIterator[DeadLetter]:
        """Yield letters, newest first; none behind one that is dealt with at the same moment."""
        after: str | None = None
        for _ in range(GROUPED // PAGE):
            try:
                page = await self._backend.dead_letters.list(workflow_id, after, PAGE)
            except NotFound:
                return
            for letter in page:
                yield letter
            if len(page) < PAGE:
                return
            after = page[-1].letter_id

    async def act(self, action: LetterAction) -> LetterReport:
        """Redrive or discard letters, at most 1,000 at once; refusals stand in the report."""
        if action.action == "discard" and not action.reason:
            raise ValidationFailed(
                "Discarding many letters needs a reason.",
                problems=[At.field(["reason"], "Field required")],
                remedy="Say why they are not needed.",
            )
        fates = [await self._fate(letter_id, action) for letter_id in await self._chosen(action)]
        done = sum(fate.done for fate in fates)
        return LetterReport(
            action=action.action, done=done, refused=len(fates) - done, letters=fates
        )

    async def _chosen(self, action: LetterAction) -> list[str]:
        if action.letters:
            return list(dict.fromkeys(action.letters))
        if action.cause is None:
            raise UsageError("Which letters?", remedy="Give `letters` or `cause`.")
        chosen: list[str] = []
        async for letter in self._letters(None):
            if cause_of(letter.reason) == action.cause and action.stage in (None, stage_of(letter)):
                chosen.append(letter.letter_id)
            if len(chosen) == AT_ONCE:
                break
        return chosen

    async def _fate(self, letter_id: str, action: LetterAction) -> LetterFate:
        try:
            if action.action == "redrive":
                await self._commands.redrive(letter_id)
            else:
                await self.discard(letter_id, action.by, action.reason)
        except StagewrightError as error:
            return LetterFate(letter_id=letter_id, done=False, error=str(error))
        return LetterFate(letter_id=letter_id, done=True)

    async def discard(self, letter_id: str, by: str, reason: str) -> None:
        """Delete a letter and note who did so and why; NotFound."""
        letter = await self._read(letter_id)
        if letter is None or not await self._backend.dead_letters.discard(letter_id):
            remedy = "See `stagewright dead-letter list`."
            raise NotFound("dead letter", letter_id, remedy=remedy)
        log.info("letter_discarded", letter_id=letter_id, by=by, reason=reason)
        if letter.workflow_id is not None:
            await self._remember(letter, letter.workflow_id, by, reason)

    async def _read(self, letter_id: str) -> DeadLetter | None:
        try:
            return await self._backend.dead_letters.read(letter_id)
        except (NotFound, ValueError):
            return None

    async def _remember(self, letter: DeadLetter, workflow_id: str, by: str, reason: str) -> None:
        """Leave a note with the workflow; one that is gone needs none."""
        now_ms = self._clock.now_ms()
        body = note_of_letter(letter.letter_id, letter.reason, by, reason, now_ms)
        await self._backend.bus.publish(Topic.NOTES, [Message(workflow_id, body)], now_ms)


def _group(cause: str, stage: str | None, letters: list[DeadLetter]) -> LetterGroup:
    times = [letter.at_ms for letter in letters]
    return LetterGroup(
        cause=cause,
        stage=stage,
        count=len(letters),
        first_at_ms=min(times),
        last_at_ms=max(times),
        workflows=len({letter.workflow_id for letter in letters}),
        letters=[letter.letter_id for letter in letters[:SHOWN]],
        sample=letters[0].reason,
    )
