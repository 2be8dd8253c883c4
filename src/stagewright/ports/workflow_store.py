"""The store of workflows: snapshots, logs, outputs, indexes, and the one atomic step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from stagewright.domain.records import record
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.health import PortHealth
from stagewright.ports.task_queue import NewTask, TaskLease


class Verdict(Enum):
    """What became of one commit."""

    COMMITTED = "committed"
    CONFLICT = "conflict"
    """The workflow's last step is not the expected one (or it exists, or left a tombstone)."""
    FENCED = "fenced"
    """A fence's token is not the current token of its task record."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What a workflow can be found by. Written only by steps that change it."""

    status: str
    definition: str
    name: str
    key: str | None
    labels: Mapping[str, str]
    waiting: tuple[str, ...]
    """Kinds of waiting, sorted and distinct: task, retry, timer, signal, approval, held, ..."""
    created_at_ms: int
    updated_at_ms: int


@record
class Commit:
    """One workflow's step (or several folded ones), to be applied as a whole or not at all."""

    workflow_id: str
    expected_step_id: str | None
    """Id of the step this decision rests on; None: the workflow must not exist."""
    step_id: str
    """Id of the workflow's last step once this is applied; unique for ever.

    Equal to `expected_step_id`, with an empty `log`, in a repair that re-emits tasks and timers.
    """
    snapshot: bytes
    log: tuple[bytes, ...] = ()
    """New step records, oldest first; each is also appended to the partition's feed."""
    first_step: int = 1
    """Number of the first record in `log`; records are numbered 1..n without gap."""
    outputs: Mapping[str, bytes] = field(default_factory=dict)
    """New outputs by output key; written once, never changed."""
    new_tasks: tuple[NewTask, ...] = ()
    """Tasks to queue; one whose record exists already is left exactly as it is."""
    closed_tasks: tuple[str, ...] = ()
    """Task ids whose records end here, whatever state they are in; unknown ids are ignored."""
    timers: Mapping[str, int] = field(default_factory=dict)
    """Timers to set or move: timer id to due instant (ms)."""
    cleared_timers: tuple[str, ...] = ()
    index: IndexEntry | None = None
    """New index entry; None: unchanged."""
    suspended: bool | None = None
    """True: the workflow's queued tasks leave their lanes until a commit says False."""
    consumed: tuple[str, ...] = ()
    """Inbox positions that are acknowledged (deleted) with the step."""
    fences: tuple[TaskLease, ...] = ()
    """Leases whose tokens must be the current ones of their task records, else FENCED."""
    dead_letters: tuple[DeadLetter, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A workflow as stored: canonical snapshot, id of its last step, outputs by key."""

    workflow_id: str
    step_id: str
    snapshot: bytes
    outputs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a forgotten workflow until `expires_at_ms`."""

    workflow_id: str
    status: str
    body_hash: str
    """Hash of the start's body: a repeated start with the same body gets the same answer."""
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Query:
    """Filters that must all hold; None does not filter."""

    status: str | None = None
    definition: str | None = None
    label: tuple[str, str] | None = None
    waiting: str | None = None
    text: str | None = None
    """Prefix of workflow id, key or name."""
    updated_from_ms: int | None = None
    updated_before_ms: int | None = None
    partition: int | None = None
    oldest_first: bool = False
    cursor: str | None = None
    limit: int = 50
    """1 to 1,000 rows."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order of update time; `cursor` continues, None at the end.

    A page may hold fewer rows than asked for (even none) and still have a cursor: at most 5,000
    index rows are looked at for one page.
    """

    rows: Sequence[Stored]
    cursor: str | None


class IWorkflowStore(Protocol):
    """Where workflows live. All methods are safe to repeat."""

    async def load(self, workflow_ids: Sequence[str]) -> Sequence[Stored | Tombstone | None]:
        """Return workflows in the order asked for; None where nothing is known.

        A tombstone that has expired reads as None.
        """
        ...

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        """Apply each commit atomically and on its own; return the verdicts in order.

        A verdict other than COMMITTED changed nothing at all for that commit, its consumed
        messages included. COMMITTED is durable in the class that `health` names when this
        returns. When the call raises, each commit either took effect or did not: load and compare
        `step_id`. Repeating a commit that took effect answers CONFLICT and changes nothing. Several
        commits of one call never name the same workflow. New tasks are claimable, timers due and
        feed entries readable as soon as this returns, and their waiters are woken.
        """
        ...

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> Sequence[bytes]:
        """Return records numbered `after`+1 .. `after`+`limit` of the steps, or the notes."""
        ...

    async def query(self, query: Query) -> Page:
        """Return workflows by index (rows carry no outputs). Raise CursorInvalid for a bad cursor.

        Rows that do not change while a caller pages are returned exactly once.
        """
        ...

    async def counts(self) -> Mapping[str, int]:
        """Return the number of workflows by status."""
        ...

    async def forget(self, workflow_id: str, step_id: str, tombstone: Tombstone) -> bool:
        """Replace a workflow by its tombstone; False when `step_id` is not its last step.

        Snapshot, log, notes, outputs, blobs, tasks, timers and index entries go in one call.
        """
        ...

    async def health(self) -> PortHealth:
        """Return whether the store answers, and the durability class in force."""
        ...
