"""Dead letters as people deal with them: by cause, and many at once."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

GROUPED = 5_000
"""So many letters, the newest, are looked at for groups."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class LetterGroup(_View):
    """Letters with the same cause."""

    cause: str
    """The reason without what differs from letter to letter."""
    stage: str | None = None
    count: int
    first_at_ms: int
    last_at_ms: int
    workflows: int
    """How many workflows they belong to."""
    letters: list[str]
    """Ids of the newest ones, at most 20."""
    sample: str
    """The reason of the newest, in full."""


class LetterGroups(_View):
    """Groups, the biggest first."""

    groups: list[LetterGroup]
    letters: int
    complete: bool
    """False: there are older letters that were not looked at."""


class LetterAction(BaseModel):
    """Redrive or discard many letters: those named, or all of one cause."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"action": "discard", "cause": "not JSON", "reason": "a stray copy"}]
        },
    )

    action: Literal["redrive", "discard"]
    letters: Annotated[list[str], Field(max_length=1_000)] = []
    cause: str | None = None
    """As a group names it."""
    stage: str | None = None
    by: str = Field(default="anonymous", max_length=200)
    reason: str = Field(default="", max_length=2_000)
    """Why letters are discarded; needed for that."""


class LetterFate(_View):
    """What became of one letter."""

    letter_id: str
    done: bool
    error: str = ""
    """Why not."""


class LetterReport(_View):
    """What became of all."""

    action: str
    done: int
    refused: int
    letters: list[LetterFate]


class ILetterDesk(Protocol):
    """Many letters at once."""

    async def groups(self, workflow_id: str | None = None) -> LetterGroups:
        """Return letters by cause."""
        ...

    async def act(self, action: LetterAction) -> LetterReport:
        """Redrive or discard letters, at most 1,000 at once; refusals stand in the report."""
        ...

    async def discard(self, letter_id: str, by: str, reason: str) -> None:
        """Delete a letter and note who did so and why; NotFound."""
        ...
