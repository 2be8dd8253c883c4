"""Filters of lists as query parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from stagewright.domain.errors import UsageError
from stagewright.domain.workflow import Status
from stagewright.ports.workflow_store import Label, Query

WaitingKind = Literal["task", "retry", "timer", "signal", "approval", "group", "held", "paused"]
KINDS = frozenset(get_args(WaitingKind))
Instant = Annotated[int, Field(ge=0, le=2**53)]
_CURSORS = r"^[0-9]{1,13}\.p[0-9]{2}-[0-9a-z]{1,64}$"
Cursor = Annotated[str, Field(max_length=300, json_schema_extra={"pattern": _CURSORS})]
LabelText = Annotated[
    str, Field(max_length=320, json_schema_extra={"pattern": "^[^=]+=", "examples": ["team=web"]})
]


class Conditions(BaseModel):
    """What workflows are looked for; all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = Field(default=[], max_length=12, description="One of these; repeat it.")
    definition: str | None = Field(default=None, max_length=200, description="Name.")
    label: list[LabelText] = Field(
        default=[], max_length=32, description="KEY=VALUE; all of several must be there."
    )
    waiting: WaitingKind | None = Field(default=None, description="Kind of waiting.")
    text: str | None = Field(
        default=None, max_length=255, description="Beginning of the id, the key or the name."
    )
    updated_from_ms: Instant | None = Field(
        default=None, description="Status or waiting changed at or after this."
    )
    updated_before_ms: Instant | None = Field(
        default=None, description="Status or waiting changed before this."
    )
    partition: int | None = Field(default=None, ge=0, le=100_000, description="Number.")

    def query(self) -> Query:
        """Return the store's query."""
        return Query(
            status=tuple(status.value for status in self.status) or None,
            definition=self.definition,
            label=tuple(map(label_of, self.label)) or None,
            waiting=self.waiting,
            text=self.text,
            updated_from_ms=self.updated_from_ms,
            updated_before_ms=self.updated_before_ms,
            partition=self.partition,
        )


class Filters(Conditions):
    """A page of what is looked for."""

    sort: Literal["-updated", "updated"] = Field(
        default="-updated", description="By the last change of status or waiting: newest first."
    )
    cursor: Cursor | None = Field(default=None, description="Of the page before.")
    limit: int = Field(default=50, ge=1, le=1_000)

    def query(self) -> Query:
        """Return the store's query, of this page."""
        return replace(
            super().query(),
            oldest_first=self.sort == "updated",
            cursor=self.cursor,
            limit=self.limit,
        )


def label_of(text: str) -> Label:
    """Return `KEY=VALUE` as a pair; raise UsageError when there is no `=`."""
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise UsageError(f"label: {text!r} is not KEY=VALUE.", remedy="Write for example team=web.")
    return key, value
