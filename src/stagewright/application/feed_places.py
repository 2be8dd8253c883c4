"""Positions of streams, as they are handed out and come back.

One workflow's stream counts its log: `12-3f9a01bc` is behind step 12, whose id begins like that;
`12-3f9a01bc.2` is behind the second event of step 12, which has more; `~HASH` names the last note
that was told, and `!end` says that the end was. The global stream has the feed's cursor, and,
inside of a step, the cursor before it with the step and how many of its events were told.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from stagewright.domain.errors import CursorInvalid

MOST_CHARACTERS = 8_192
MARK_CHARACTERS = 8
_LOG = re.compile(
    r"(\d{1,9})(?:-([0-9a-f]{1,16}))?(?:\.([1-9]\d{0,5}))?(?:~([0-9a-f]{16}))?(!end)?", re.ASCII
)
_INSIDE = re.compile(r"([^!]+)!([^!/]{1,200})!([1-9]\d{0,8})!([1-9]\d{0,5})", re.ASCII)


class LogPlace(NamedTuple):
    """How far one workflow's log was told."""

    step: int = 0
    mark: str = ""
    """How the step's id begins, so that another history under the same number is noticed."""
    part: int = 0
    """Events of the step that were told, 0 when all were."""
    note: str = ""
    """Mark of the last note that was told."""
    ended: bool = False

    @classmethod
    def parse(cls, text: str | None) -> LogPlace:
        """Read a position; None and "" are the beginning. Raise CursorInvalid."""
        if not text:
            return cls()
        found = _LOG.fullmatch(text)
        if found is None:
            raise CursorInvalid(text[: MARK_CHARACTERS * 16])
        step, mark, part, note, ended = found.groups()
        return cls(int(step), mark or "", int(part or 0), note or "", ended is not None)

    def spell(self) -> str:
        """Return the position as it is handed out."""
        mark = f"-{self.mark}" if self.mark else ""
        part = f".{self.part}" if self.part else ""
        note = f"~{self.note}" if self.note else ""
        return f"{self.step}{mark}{part}{note}{'!end' if self.ended else ''}"

    @property
    def complete(self) -> int:
        """The last step of which all was told."""
        return self.step - 1 if self.part else self.step


class FeedPlace(NamedTuple):
    """How far the feed was told: its cursor, and what of the next entries was told already."""

    cursor: str
    workflow_id: str = ""
    step: int = 0
    part: int = 0

    @classmethod
    def parse(cls, text: str) -> FeedPlace:
        """Read a position; raise CursorInvalid. The cursor itself is for the bus to judge."""
        if len(text) > MOST_CHARACTERS:
            raise CursorInvalid(text[: MARK_CHARACTERS * 16])
        if "!" not in text:
            return cls(text)
        found = _INSIDE.fullmatch(text)
        if found is None:
            raise CursorInvalid(text[: MARK_CHARACTERS * 16])
        return cls(found[1], found[2], int(found[3]), int(found[4]))

    def spell(self) -> str:
        """Return the position as it is handed out."""
        if not self.part:
            return self.cursor
        return f"{self.cursor}!{self.workflow_id}!{self.step}!{self.part}"
