"""One action on many workflows, as a job that outlives whoever asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stagewright.domain.workflow import Status
from stagewright.ports.workflow_store import Query

MOST = 100_000
"""So many workflows one job changes."""
NAMED = 1_000
"""So many workflows may be named in a request, and so many refusals a job keeps."""

Action = Literal["pause", "resume", "cancel", "retry", "signal", "approve", "reject"]
DECISIONS = frozenset({"approve", "reject"})
"""Actions that need the scope of those who approve."""


class BulkFilter(BaseModel):
    """Which workflows; all that is given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: tuple[Status, ...] = Field(default=(), max_length=6)
    definition: str | None = Field(default=None, max_length=200)
    label: dict[str, str] = Field(default_factory=dict, max_length=32)
    waiting: str | None = Field(default=None, max_length=63)
    text: str | None = Field(default=None, max_length=255)
    updated_from_ms: int | None = Field(default=None, ge=0, le=2**53)
    updated_before_ms: int | None = Field(default=None, ge=0, le=2**53)

    def query(self) -> Query:
        """Return the store's query."""
        return Query(
            status=tuple(status.value for status in self.status) or None,
            definition=self.definition,
            label=tuple(self.label.items()) or None,
            waiting=self.waiting,
            text=self.text,
            updated_from_ms=self.updated_from_ms,
            updated_before_ms=self.updated_before_ms,
        )


class BulkRequest(BaseModel):
    """Do one thing to many workflows: those named, or all that fit a filter."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"action": "cancel", "filter": {"status": ["waiting"]}, "dry_run": True},
                {"action": "pause", "ids": ["p00-0192f0c4a3b27e518c2a5d7e9f00aa11"]},
            ]
        },
    )

    action: Action
    ids: Annotated[tuple[str, ...], Field(max_length=NAMED)] = ()
    filter: BulkFilter | None = None
    everything: bool = False
    """Say so to let a filter without any condition take all workflows."""
    dry_run: bool = False
    """Only count, and show which."""
    key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Asking again with the same key gives the same job."""
    by: str = Field(default="anonymous", max_length=200)
    groups: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    reason: str = Field(default="", max_length=2_000)
    stage: str | None = Field(default=None, max_length=63)
    name: str | None = Field(default=None, max_length=63)
    """Name of the signal."""
    data: Any = None

    @model_validator(mode="after")
    def _one_selection(self) -> BulkRequest:
        if bool(self.ids) == (self.filter is not None):
            raise ValueError("give either `ids` or `filter`")
        if self.filter == BulkFilter() and not self.everything:
            raise ValueError("an empty `filter` takes every workflow: say `everything: true`")
        if self.action == "signal" and not self.name:
            raise ValueError("a signal needs a `name`")
        return self


class BulkRefusal(BaseModel):
    """A workflow that was not changed, and why."""

    workflow_id: str
    kind: str
    """The kind of error, as in problem documents: `not-found`, `refused`, ..."""
    detail: str


class BulkView(BaseModel):
    """How far a job is."""

    job_id: str | None
    """None for a dry run."""
    action: str
    status: Literal["dry-run", "selecting", "running", "done"]
    total: int
    """Workflows that were selected."""
    exact: bool = True
    """False: more than 100,000 fit the filter; these are the first."""
    done: int = 0
    changed: int = 0
    refused: int = 0
    progress: int = 0
    """Percent."""
    sample: list[str] = []
    """Some of the workflows, at most 20."""
    refusals: list[BulkRefusal] = []
    """The first 1,000."""
    by: str = "anonymous"
    created_at_ms: int = 0
    finished_at_ms: int | None = None


class IBulk(Protocol):
    """Jobs live in the backend: whoever finds one unfinished goes on with it."""

    async def begin(self, request: BulkRequest) -> BulkView:
        """Note the job durably and return it, before anything is changed; Conflict.

        The same key with the same body gives the same job, with another body a Conflict.
        """
        ...

    async def job(self, job_id: str) -> BulkView:
        """Return how far a job is; goes on with it for a moment if nobody does. NotFound."""
        ...

    async def jobs(self) -> Sequence[BulkView]:
        """Return the jobs of the last day, newest first, without refusals; at most 100."""
        ...
