"""The store of workflows: snapshots, logs, outputs and indexes, moved by atomic steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.health import PortHealth


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


Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """Filters that must all hold; None does not filter."""

    status: str | tuple[str, ...] | None = None
    """One, or any of several; read it as `statuses`."""
    definition: str | None = None
    label: Label | tuple[Label, ...] | None = None
    """One, or several that must all be there; read it as `labels`."""
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
    bare: bool = False
    """Rows are ids only, with empty snapshots: for whoever counts or collects."""

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses of which one must hold, each once; empty does not filter."""
        if self.status is None:
            return ()
        return (self.status,) if isinstance(self.status, str) else tuple(dict.fromkeys(self.status))

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels that must all be there, each once; empty does not filter."""
        if not self.label:
            return ()
        if isinstance(self.label[0], str):
            return (self.label,)
        return tuple(dict.fromkeys(self.label))


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order of update time; `cursor` continues, None at the end.

    A page may hold fewer rows than asked for (even none) and still have a cursor: at most 5,000
    index rows are looked at for one page.
    """

    rows: Sequence[Stored]
    cursor: str | None


FEW_OUTPUTS = 64
"""So many outputs of a workflow are not worth a choice."""

Referred = Callable[[bytes], Collection[str]]
"""Returns the keys of the outputs that a snapshot refers to."""


class IWorkflowStore(Protocol):
    """Where workflows live. All methods are safe to repeat."""

    async def load(
        self, workflow_ids: Sequence[str], referred: Referred | None = None
    ) -> Sequence[Stored | Tombstone | None]:
        """Return workflows in the order asked for; None where nothing is known.

        A tombstone that has expired reads as None. A workflow with more than FEW_OUTPUTS outputs
        comes with those only that `referred` names; without it, with all.
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
