"""The control interface: what API, CLI and clients call, near the store or through a door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from stagewright.ports.views import (
    DefinitionView,
    LogPage,
    ReplayReport,
    SystemView,
    WorkflowPage,
    WorkflowView,
)
from stagewright.ports.workflow_store import Query


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Key = Annotated[str, Field(min_length=1, max_length=255)]
LabelName = Annotated[str, Field(min_length=1, max_length=63)]
LabelValue = Annotated[str, Field(max_length=256)]


class StartRequest(_Request):
    """Start a workflow, once per key."""

    definition: str
    """`NAME`, `NAME@VERSION`, or a content hash."""
    input: Any = None
    key: Key | None = None
    priority: Annotated[int, Field(ge=0, le=3)] | None = None
    labels: dict[LabelName, LabelValue] = Field(default_factory=dict, max_length=32)
    deadline_s: Annotated[float, Field(gt=0, le=10 * 366 * 86_400)] | None = None
    name: str = Field(default="", max_length=200)
    """What people call this workflow; lists find it by the beginning of this."""
    description: str = Field(default="", max_length=2_000)
    by: Annotated[str, Field(max_length=200)] = ""
    """Who asks. A server believes those only who may speak for others, and knows the rest."""


class Started(BaseModel):
    """The answer to a start, given after it was committed."""

    workflow_id: str
    created: bool
    """False: this key was started before with the same body."""
    durability: str


class CommandRequest(_Request):
    """A command to a workflow. Sending it again with the same `command_id` changes nothing more."""

    kind: Literal["pause", "resume", "cancel", "retry", "signal", "approve", "reject"]
    command_id: str | None = None
    """UUIDv7 as 32 hex digits; the receiver draws one when None."""
    by: str = "anonymous"
    groups: tuple[str, ...] = ()
    reason: str = ""
    """Reason (pause, cancel) or comment (approve, reject)."""
    stage: str | None = None
    """approve and reject: may be left out when only one approval waits. retry: which to retry, or
    from where a successor starts."""
    visit: int | None = None
    shown_hash: str | None = None
    data: Any = None
    """Payload (signal), form (approve), edited input (retry)."""
    name: str | None = None
    """Signal name."""


class CommandReply(BaseModel):
    """The answer to a command that was accepted, given after it was committed."""

    workflow_id: str
    """A successor's id when a finished workflow was retried."""
    code: str
    detail: str
    durability: str


class RegisterRequest(_Request):
    """Register a version of a definition with the contracts it was checked against."""

    definition: dict[str, Any]
    contracts: list[dict[str, Any]] = []
    """Contracts of agents, as their JSON."""
    development: bool = False
    """Register an edit of the same version under `VERSION+dev.HASH` instead of refusing it."""
    registered: bool = False
    """Check agents that `contracts` does not name against the newest that agents registered."""


class ICommands(Protocol):
    """Changes. Refusals are errors: NotFound, Conflict, Refused, ValidationFailed."""

    async def start(self, request: StartRequest) -> Started:
        """Start a workflow; committed before this returns."""
        ...

    async def command(self, workflow_id: str, request: CommandRequest) -> CommandReply:
        """Apply a command; committed before this returns."""
        ...

    async def register(self, request: RegisterRequest) -> DefinitionView:
        """Check and register a definition; durable before this returns."""
        ...

    async def replay(self, workflow_id: str, *, repair: bool = False) -> ReplayReport:
        """Fold the log, compare with the snapshot, and re-emit what is missing in flight."""
        ...

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        """Put a dead letter back into its inbox, edited if `body` is given; NotFound, Refused."""
        ...


class IQueries(Protocol):
    """Views."""

    async def show(self, workflow_id: str) -> WorkflowView:
        """Return a workflow with its stages, outputs and waiting reasons; NotFound."""
        ...

    async def ended(self, workflow_id: str, wait_s: float) -> WorkflowView:
        """Return a workflow as soon as it has ended, or as it is after `wait_s`; NotFound."""
        ...

    async def list(self, query: Query) -> WorkflowPage:
        """Return a page of workflows."""
        ...

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> LogPage:
        """Return logged steps (or notes) after number `after`; NotFound."""
        ...

    async def definitions(self, name: str | None = None) -> Sequence[DefinitionView]:
        """Return registered definitions, oldest version first."""
        ...

    async def definition(self, reference: str) -> dict[str, Any]:
        """Return a definition's JSON by `NAME`, `NAME@VERSION` or hash; NotFound."""
        ...

    async def system(self) -> SystemView:
        """Return health, counts, agents and lanes."""
        ...
