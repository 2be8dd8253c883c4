"""A closer look than a list or a page gives: stages round by round, payloads, who must decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from stagewright.ports.workflow_store import Query

COUNTED = 10_000
"""So many workflows a filter counts exactly."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class AttemptView(_View):
    """One dispatch of a stage to an agent."""

    attempt: int
    assigned_at_ms: int
    ended_at_ms: int | None = None
    ended_as: Literal["done", "failed", "invalid", "held", "cancelled"] | None = None
    """done: it ended its visit. failed, invalid: another attempt follows. None: it lasts."""
    errors: list[dict[str, Any]] = []
    repair: list[dict[str, Any]] = []
    """What was wrong with the attempt before, as the agent was told."""
    retry_at_ms: int | None = None
    usage: dict[str, float] = {}


class VoteView(_View):
    """A person's decision."""

    decision: str
    by: str
    at_ms: int
    comment: str = ""
    data: Any = None


class VisitView(_View):
    """One entry into a stage: the n-th round."""

    visit: int
    started_at_ms: int
    ended_at_ms: int | None = None
    outcome: str | None = None
    to: str | None = None
    """Where the outcome led: a stage, `complete` or `fail`."""
    input: Any = None
    """What the stage was given; a payload above 64 KiB as `{"$blob": ...}`."""
    input_key: str | None = None
    """Name of the stored payload that was handed on whole; None when a template made the input."""
    input_unknown: str = ""
    """Why the input cannot be shown; empty when it is."""
    output: Any = None
    output_key: str | None = None
    """Read big ones by this name."""
    errors: list[dict[str, Any]] = []
    attempts: list[AttemptView] = []
    votes: list[VoteView] = []
    usage: dict[str, float] = {}


class StageDetail(_View):
    """One stage of a workflow with all its rounds."""

    workflow_id: str
    name: str
    kind: str
    description: str = ""
    max_visits: int | None = None
    agent: str | None = None
    contract: dict[str, Any] | None = None
    """Name, version, hash, and the JSON Schemas of input and output; None where unchecked."""
    visits: list[VisitView]
    """Oldest first, at most 1,000, the newest ones."""
    notes: list[dict[str, Any]] = []
    """What agents logged in this stage, oldest first: the newest 1,000 of the workflow are kept."""
    complete: bool = True
    """False: the log is so long that only its first part was read."""


class Count(_View):
    """How many workflows fit a filter."""

    count: int
    exact: bool
    """False: there are more."""

    @property
    def text(self) -> str:
        """`12`, or `10000+`."""
        return str(self.count) if self.exact else f"{self.count}+"


@dataclass(frozen=True, slots=True)
class ApprovalQuery:
    """Which approvals to list; all that is given must hold."""

    definition: str | None = None
    by: str | None = None
    """Only those that this person may decide and has not decided yet."""
    groups: tuple[str, ...] = ()
    """Groups that the person belongs to."""
    oldest_first: bool = False
    cursor: str | None = None
    limit: int = 50
    """1 to 200 workflows."""


class ApprovalView(_View):
    """One approval that waits for people."""

    workflow_id: str
    name: str
    version: str
    title: str = ""
    stage: str
    visit: int
    description: str = ""
    """What the definition says of the stage."""
    since_ms: int
    deadline_at_ms: int | None = None
    approvers: list[str]
    required: int
    decided: list[VoteView] = []
    missing: int
    """How many more must approve."""
    form: dict[str, Any] | None = None
    """JSON Schema of what an approval brings."""
    shown: Any = None
    """What is to be approved; above 64 KiB as `{"$blob": ...}`."""
    shown_key: str
    """Name of what is shown among the workflow's payloads."""
    shown_hash: str
    """Send it with a decision, so that it is refused when something else is shown by then."""
    paused: bool = False
    """Decisions are recorded and applied once the workflow is resumed."""


class ApprovalPage(_View):
    """Approvals by the last change of their workflow; `cursor` continues, None at the end."""

    approvals: list[ApprovalView]
    cursor: str | None = None


class IDetails(Protocol):
    """Views of one workflow's parts, and of what waits for people."""

    async def stage(self, workflow_id: str, stage: str) -> StageDetail:
        """Return a stage with its rounds, attempts, contract and notes; NotFound."""
        ...

    async def output(self, workflow_id: str, key: str) -> bytes:
        """Return a stored payload (`input`, `STAGE/VISIT`, ...) whole, as JSON; NotFound."""
        ...

    async def count(self, query: Query, most: int = COUNTED) -> Count:
        """Return how many workflows fit the filters, exactly up to `most`."""
        ...

    async def approvals(self, query: ApprovalQuery) -> ApprovalPage:
        """Return what waits for people."""
        ...
