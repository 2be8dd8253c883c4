"""The desk: where agents in any language claim tasks, tell what they do, and hand in results.

Requests and answers travel as JSON. A lease belongs to its token, not to a connection or a server:
whoever has the token may extend it and finish the task, at any server of the same store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from stagewright.domain.errors import Conflict, Unreachable

HOLDER_PREFIX = "http:"
"""In front of the names of holders that came over HTTP: they outlive the process that leased."""
MAX_WAIT_S = 30.0
MAX_LEASE_S = 300.0
MAX_SLOTS = 64
MAX_EVENTS = 256
MAX_LEASES = 256
MAX_INLINE_BYTES = 1_048_576
"""Of one input or output that travels inside of an answer or a request."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$"


class LeaseLost(Conflict):
    """The lease is over, so nothing can be done with its token any more.

    `holder` and `since_ms` say who has the task now, where somebody has.
    """

    def __init__(
        self,
        task: str,
        token: int,
        reason: str,
        *,
        holder: str | None = None,
        since_ms: int | None = None,
    ) -> None:
        self.task, self.token, self.reason = task, token, reason
        self.holder, self.since_ms = holder, since_ms
        super().__init__(
            f"The lease {token} on {task} is over: {reason}.",
            remedy="Stop working on it, throw its result away, and claim another task.",
        )


class ResultDiffers(Conflict):
    """Another result was handed in with this token before."""

    def __init__(self, task: str, token: int, at_ms: int) -> None:
        self.task, self.token, self.at_ms = task, token, at_ms
        super().__init__(
            f"The task {task} was finished at {at_ms} with another result.",
            remedy="A result is final. Send the very same again to read what became of it.",
        )


class TooManyPolls(Unreachable):
    """So many agents wait at this server already that one more is not taken."""

    def __init__(self, limit: int, retry_after_s: float) -> None:
        self.limit, self.retry_after_s = limit, retry_after_s
        super().__init__(
            "The desk",
            f"{limit} polls wait already",
            remedy=f"Ask again in {retry_after_s:g} s, with `wait_s` 0, or at another server.",
        )


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


Token = Annotated[int, Field(ge=1, le=2**53 - 1)]
LeaseS = Annotated[float, Field(ge=1, le=MAX_LEASE_S)]
WaitS = Annotated[float, Field(ge=0, le=MAX_WAIT_S)]
Holder = Annotated[str, Field(max_length=128, pattern=NAME)]


class ClaimRequest(_Request):
    """A wish for tasks of one agent."""

    version: Annotated[str, Field(pattern=r"^\^?\d{1,6}(\.\d{1,6}){0,2}$")] = "1"
    """The agent's contract: tasks of its major and of any minor up to its own are given."""
    slots: Annotated[int, Field(ge=1, le=MAX_SLOTS)] = 1
    """Most tasks in the answer."""
    holder: Holder = "agent"
    """Name of the process, as people see it. Unique among those alive; no safety rests on it."""
    claim_id: Annotated[str, Field(min_length=1, max_length=128, pattern=NAME)] | None = None
    """Chosen by the caller: the same claim sent again gets the same leases again."""
    wait_s: WaitS = 0.0
    """How long to wait for a task when there is none."""
    lease_s: LeaseS = 30.0
    present: bool = True
    """Whether this is a sign of life; False for processes that give such signs by themselves."""
    inline_bytes: Annotated[int, Field(ge=0, le=MAX_INLINE_BYTES)] = MAX_INLINE_BYTES
    """A bigger payload stays `{"$blob": {"bytes", "hash"}}`, to be fetched."""


class LeasedTask(_View):
    """A task with the right to finish it until `expires_at_ms`. Task and token come first."""

    task: str
    """`workflow_id/stage/visit/attempt`."""
    token: int
    expires_at_ms: int
    deadline_at_ms: int
    """The lease is never extended beyond this instant."""
    workflow_id: str
    stage: str
    visit: int
    attempt: int
    idempotency_key: str
    """`workflow_id/stage/visit`: the same for every attempt at this visit."""
    lane: str
    priority: int
    queued_at_ms: int
    lost: int
    definition: str
    contract: dict[str, Any] | None
    """`agent`, `version`, `hash` of what the definition was checked against."""
    traceparent: str | None
    feedback: list[dict[str, Any]]
    """Earlier rounds, oldest first: `stage`, `visit`, `outcome`, `errors`, `output`. The last is
    the stage's own, `invalid`, when the output of the attempt before broke the contract."""
    input: Any


class Claimed(_View):
    """The answer to a claim; no tasks when none came in time."""

    tasks: list[LeasedTask]


class Lease(_Request):
    """What proves the right to finish a task."""

    task: Annotated[str, Field(max_length=300)]
    token: Token


class Extended(_View):
    """A lease that was renewed; None: it is over, stop."""

    task: str
    token: int
    expires_at_ms: int | None
    reason: str | None = None
    """Why it is over."""
    holder: str | None = None
    """Who has the task now, where somebody has, and since when."""
    since_ms: int | None = None


class TaskResult(_Request):
    """What became of an attempt."""

    token: Token
    status: Literal["success", "failure"] = "success"
    outcome: str | None = None
    """The label that the stage ends with instead of `ok`."""
    output: Any = None
    """A JSON value, or a reference to a blob that was put for this task."""
    errors: list[dict[str, Any]] = Field(default=[], max_length=100)
    """Of a failure, each with `type` and `message`; `final` when trying again would not help."""
    usage: dict[str, int | float] = Field(default={}, max_length=30)


class Receipt(_View):
    """What a result made of its stage, as the workflow's log says: the same each time."""

    task: str
    token: int
    result: Literal["complete", "invalid", "retry", "recorded", "held"]
    """`invalid`: the contract was broken, and another attempt gets `problems` as feedback.
    `recorded`: the workflow is paused, and takes it when resumed."""
    outcome: str | None = None
    problems: list[dict[str, Any]] = []
    retry_at_ms: int | None = None
    step: int
    """Number of the step in the workflow's log."""
    at_ms: int


class Events(_Request):
    """What an agent tells while it works."""

    token: Token
    first: Annotated[int, Field(ge=1)] | None = None
    """Number of the first durable event here, counted from 1 for each lease: sent again, events
    that were taken before are left out."""
    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_EVENTS)]
    """`{"event": "log" | "tool_call" | "tool_result" | "artifact" | "delta", ...}`."""


class Emitted(_View):
    """What became of events."""

    taken: int
    """Durable ones that are kept now, or were before."""
    dropped: int
    """What was above the bounds, and deltas above their rate."""


class ContractView(_View):
    """A contract that is registered."""

    name: str
    version: str
    hash: str
    registered_at_ms: int
    description: str = ""
    input: dict[str, Any] = {}
    output: dict[str, Any] = {}
    outcomes: list[str] = []


class PresenceRequest(_Request):
    """A sign of life of a process that serves agents."""

    host: Annotated[str, Field(max_length=255)] = ""
    pid: Annotated[int, Field(ge=0)] = 0
    started_at_ms: int
    next_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How soon the next will come."""
    lasts_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    agents: Annotated[dict[str, dict[str, Any]], Field(max_length=256)]
    """By agent, at least `version` and `lanes`."""


class HintRequest(_Request):
    """What a process that claims without waiting wants to hear of."""

    lanes: Annotated[list[str], Field(min_length=1, max_length=4_096)]
    wait_s: WaitS = 0.0


class Hints(_View):
    """What was heard: hints carry no authority, and may be lost."""

    work: bool = False
    """There may be tasks in one of the lanes."""
    withdrawn: list[str] = []
    """Workflows that want some task no longer: whoever holds a lease of theirs should extend it."""


class IAgentDesk(Protocol):
    """Tasks, for agents that reach the store through a server. Every call may be repeated."""

    async def claim(self, agent: str, request: ClaimRequest) -> Claimed:
        """Lease tasks; when there is none, wait for one. TooManyPolls.

        Whoever is cancelled while waiting leaves nothing leased.
        """
        ...

    async def extend(self, leases: Sequence[Lease], lease_s: float) -> Sequence[Extended]:
        """Renew leases, never beyond their tasks' deadlines."""
        ...

    async def finish(self, task: str, result: TaskResult) -> Receipt:
        """Apply a result; committed before this returns. LeaseLost, ResultDiffers.

        Input and output are checked against the agent's contract; an output that breaks it ends
        the attempt as `invalid`, which the receipt says.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Hand a task back, which counts as no loss; nothing happens when the lease is over."""
        ...

    async def emit(self, task: str, events: Events) -> Emitted:
        """Keep and show what an agent tells; durable when this returns. LeaseLost."""
        ...


class IServedDesk(IAgentDesk, Protocol):
    """What a server of the desk needs besides."""

    def give_back_soon(self, tasks: Sequence[LeasedTask]) -> None:
        """Put back what a claim returned and nobody was told of."""
        ...

    async def agent_of(self, task: str) -> str:
        """Return the name of the agent whose task this is; NotFound."""
        ...


class IAgentMeans(Protocol):
    """What agents need besides tasks."""

    async def put_blob(self, lease: Lease, body: bytes) -> str:
        """Keep a payload with the task's workflow; returns its SHA-256 (hex). LeaseLost."""
        ...

    async def get_blob(self, lease: Lease, hash_: str) -> bytes:
        """Return a payload of the task's workflow; NotFound, LeaseLost."""
        ...

    async def register_contract(
        self, contract: Mapping[str, Any], *, development: bool = False
    ) -> ContractView:
        """Register what an agent takes and gives; Conflict when its version says otherwise.

        In development such a contract is registered as `VERSION+dev.HASH` instead.
        """
        ...

    async def contracts(self, name: str | None = None) -> Sequence[ContractView]:
        """Return registered contracts, by name and in the order of registration."""
        ...

    async def present(self, holder: str, sign: PresenceRequest) -> None:
        """Take a sign of life."""
        ...

    async def leave(self, holder: str) -> None:
        """Take a goodbye."""
        ...

    async def hints(self, request: HintRequest) -> Hints:
        """Wait for a hint; TooManyPolls."""
        ...
