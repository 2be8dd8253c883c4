"""The one atomic step, as it is asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from stagewright.domain.records import Record
from stagewright.domain.workflow import Status
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.task import NewTask, TaskLease


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


class Commit(Record, frozen=True):
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
    outputs: Mapping[str, bytes] = {}
    """New outputs by output key; written once, never changed."""
    new_tasks: tuple[NewTask, ...] = ()
    """Tasks to queue; one whose record exists already is left exactly as it is."""
    closed_tasks: tuple[str, ...] = ()
    """Task ids whose records end here, whatever state they are in; unknown ids are ignored."""
    timers: Mapping[str, int] = {}
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

    @property
    def ends(self) -> bool:
        """Whether the workflow ends with this step; whoever listens to ENDED is told."""
        return self.index is not None and Status(self.index.status).terminal
