"""The queue of tasks: lanes, leases and fencing tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord


@dataclass(frozen=True, slots=True)
class Want:
    """Lanes that may fill `slots` free places of one agent."""

    lanes: tuple[str, ...]
    slots: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for tasks."""

    holder: str
    """Name shown as the owner of the lease; no safety rests on it."""
    wants: tuple[Want, ...]
    lease_s: float
    lowest_first: bool = False
    """Look at P3 before P0: the caller sets it on every sixteenth call, so that nothing starves."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The result of a task, to be published to the inbox of the workflow's partition."""

    task_id: str
    token: int
    result: bytes
    """An envelope."""


@dataclass(frozen=True, slots=True)
class Completed:
    """Answer to `complete`: per completion whether its token was current, and new claims."""

    accepted: Sequence[bool]
    claimed: Sequence[ClaimedTask]


@dataclass(frozen=True, slots=True)
class Advanced:
    """Answer to `advance`: the verdicts in order, and new claims."""

    verdicts: Sequence[Verdict]
    claimed: Sequence[ClaimedTask]


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """How much waits in one lane and priority, over all partitions."""

    lane: str
    priority: int
    queued: int
    oldest_at_ms: int | None


class ITaskQueue(Protocol):
    """Tasks wait in lanes, first in first out per partition, lane and priority."""

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        """Lease up to the wanted number of tasks without blocking.

        Higher priorities first (0 before 3; reversed by `lowest_first`), within one the oldest,
        over all partitions as evenly as one call allows. Each claim draws a token greater than any
        before in its partition. The lease ends at the earlier of `now_ms + lease_s` and
        `now_ms + timeout_s`. Never returns more than `slots` for a want, nor tasks of a suspended
        workflow.
        """
        ...

    async def extend(
        self, leases: Sequence[TaskLease], lease_s: float, now_ms: int
    ) -> Sequence[int | None]:
        """Renew leases, never beyond the task's deadline; per lease the new expiry (ms).

        None: the token is not current, the task is not leased any more, or the deadline has passed;
        the holder must stop. A lease whose expiry has passed but which nobody took is renewed.
        """
        ...

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        """Prove the tokens, publish the results to the inboxes, end the leases; then claim.

        Each completion is atomic. Not accepted (nothing published): the token is not current or
        the task is gone. Repeating an accepted completion whose result was not yet applied is
        accepted again and publishes nothing more.
        """
        ...

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        """Commit as `IWorkflowStore.commit` does, then claim: for whoever decides results itself.

        What the commits queue may be claimed at once, in its turn; hints go out only for what
        stays queued. When the call raises, each commit either took effect or did not, and what was
        claimed falls back into its lane when its lease ends.
        """
        ...

    async def release(
        self,
        leases: Sequence[TaskLease],
        lost: bool,  # noqa: FBT001  # every caller names it
        now_ms: int,
    ) -> Sequence[bool]:
        """Put leased tasks back to the front of their lanes; False where the token is not current.

        `lost` counts one lost lease; a holder that hands work back does not lose it. A task of a
        suspended workflow becomes `suspended` instead. The lease is over: its token can neither
        extend, complete nor release any more.
        """
        ...

    async def inspect(self, workflow_ids: Sequence[str]) -> Sequence[Sequence[TaskRecord]]:
        """Return the task records of each workflow."""
        ...

    async def depths(self) -> Sequence[LaneDepth]:
        """Return every lane with queued tasks."""
        ...
