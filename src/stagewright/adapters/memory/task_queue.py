"""The queue of tasks in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stagewright.adapters.memory import step
from stagewright.adapters.memory.queues import Ordered
from stagewright.adapters.memory.state import Namespace, Task
from stagewright.ports.commit import Commit
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord
from stagewright.ports.task_queue import Advanced, Claim, Completed, Completion, LaneDepth, Want

PRIORITIES = (0, 1, 2, 3)


class MemoryTaskQueue:
    """ITaskQueue over the state of one process."""

    def __init__(self, state: Namespace) -> None:
        self._state = state

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        """Lease up to the wanted number of tasks."""
        return self._claim(claim, now_ms)

    def _claim(self, claim: Claim, now_ms: int) -> list[ClaimedTask]:
        return [
            self._lease(task, claim, now_ms)
            for want in claim.wants
            for task in self._pick(want, lowest_first=claim.lowest_first)
        ]

    def _pick(self, want: Want, *, lowest_first: bool) -> Iterator[Task]:
        """Yield what a want takes; every call starts at another partition."""
        state, free = self._state, want.slots
        count = len(state.partitions)
        state.claims += 1
        turns = [(state.claims + turn) % count for turn in range(count)]
        for priority in reversed(PRIORITIES) if lowest_first else PRIORITIES:
            lanes = [state.lanes.get((lane, priority), {}) for lane in want.lanes]
            queues = [[lane[turn] for lane in lanes if turn in lane] for turn in turns]
            while free > 0 and (queues := [queue for queue in queues if any(queue)]):
                for queue in queues[:free]:
                    yield _oldest(queue)
                free -= len(queues[:free])

    def _lease(self, task: Task, claim: Claim, now_ms: int) -> ClaimedTask:
        partition = self._state.partitions[task.partition]
        partition.token += 1
        task.state, task.token, task.holder = "leased", partition.token, claim.holder
        task.claimed_at_ms = now_ms
        task.deadline_at_ms = now_ms + round(task.timeout_s * 1000)
        expires_at_ms = min(now_ms + round(claim.lease_s * 1000), task.deadline_at_ms)
        self._state.lease(task, expires_at_ms)
        return ClaimedTask(
            task.task_id,
            task.token,
            task.lane,
            task.priority,
            task.body,
            task.queued_at_ms,
            expires_at_ms,
            task.deadline_at_ms,
            task.lost,
        )

    async def extend(
        self, leases: Sequence[TaskLease], lease_s: float, now_ms: int
    ) -> Sequence[int | None]:
        """Renew leases, never beyond the task's deadline."""
        return [self._extend(lease, now_ms + round(lease_s * 1000), now_ms) for lease in leases]

    def _extend(self, lease: TaskLease, until_ms: int, now_ms: int) -> int | None:
        task = self._state.tasks.get(lease.task_id)
        if task is None or not task.holds(lease.token):
            return None
        if task.deadline_at_ms is None or task.deadline_at_ms <= now_ms:
            return None
        self._state.lease(task, min(until_ms, task.deadline_at_ms))
        return task.expires_at_ms

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        """Prove the tokens, publish the results, end the leases; then claim."""
        accepted = [self._complete(completion) for completion in completions]
        return Completed(accepted, self._claim(claim, now_ms) if claim else [])

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        """Commit steps, then claim."""
        verdicts = [step.apply(self._state, commit, now_ms) for commit in commits]
        claimed = self._claim(claim, now_ms)
        self._state.tell_of_queued()
        return Advanced(verdicts, claimed)

    def _complete(self, completion: Completion) -> bool:
        task = self._state.tasks.get(completion.task_id)
        if task is None or task.token != completion.token:
            return False
        if task.state == "leased":
            self._state.withdraw(task)
            task.state, task.expires_at_ms = "done", None
            lease = TaskLease(completion.task_id, completion.token)
            self._state.deliver(task.workflow_id, completion.result, lease)
        return task.state == "done"

    async def release(self, leases: Sequence[TaskLease], lost: bool, now_ms: int) -> Sequence[bool]:  # noqa: ARG002, FBT001
        """Put leased tasks back to the front of their lanes."""
        released = [self._release(lease, lost=lost) for lease in leases]
        self._state.tell_of_queued()
        return released

    def _release(self, lease: TaskLease, *, lost: bool) -> bool:
        task = self._state.tasks.get(lease.task_id)
        if task is None or not task.holds(lease.token):
            return False
        self._state.withdraw(task)
        task.lost += lost
        task.holder = task.claimed_at_ms = task.expires_at_ms = task.deadline_at_ms = None
        if self._state.workflows[task.workflow_id].suspended:
            task.state = "suspended"
        else:
            self._state.enqueue(task)
        return True

    async def inspect(self, workflow_ids: Sequence[str]) -> Sequence[Sequence[TaskRecord]]:
        """Return the task records of each workflow."""
        places: dict[Ordered[Task], dict[Task, int]] = {}
        return [self._inspect(workflow_id, places) for workflow_id in workflow_ids]

    def _inspect(
        self, workflow_id: str, places: dict[Ordered[Task], dict[Task, int]]
    ) -> list[TaskRecord]:
        workflow = self._state.workflows.get(workflow_id)
        tasks = workflow.tasks.values() if workflow else ()
        return [
            task.record(self._position(task, places) if task.state == "queued" else None)
            for task in tasks
        ]

    def _position(self, task: Task, places: dict[Ordered[Task], dict[Task, int]]) -> int:
        lane = self._state.lane_of(task)
        if lane not in places:
            inorder = sorted(lane.ranks, key=lane.ranks.__getitem__)
            places[lane] = {queued: position for position, queued in enumerate(inorder)}
        return places[lane][task]

    async def depths(self) -> Sequence[LaneDepth]:
        """Return every lane with queued tasks."""
        depths: list[LaneDepth] = []
        for (lane, priority), queues in sorted(self._state.lanes.items()):
            heads = [head[1].queued_at_ms for queue in queues.values() if (head := queue.first())]
            if heads:
                queued = sum(map(len, queues.values()))
                depths.append(LaneDepth(lane, priority, queued, min(heads)))
        return depths


def _oldest(queues: list[Ordered[Task]]) -> Task:
    """Take the oldest task out of one partition's lanes; one of them holds a task."""
    heads = [(head, queue) for queue in queues if (head := queue.first())]
    (_, task), lane = min(heads, key=lambda found: found[0][0])
    lane.drop(task)
    return task
