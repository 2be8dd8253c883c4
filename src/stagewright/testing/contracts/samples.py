"""Small commits, tasks and claims for the suites, and one look at all that a backend shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stagewright.domain import ids
from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, IndexEntry, Verdict
from stagewright.ports.message_bus import InboxMessage, Message, Received, Topic
from stagewright.ports.task import ClaimedTask, NewTask, TaskLease, TaskRecord
from stagewright.ports.task_queue import Claim, Want
from stagewright.ports.workflow_store import Query
from stagewright.testing.clock import VirtualClock

LANE = "build@1.0"
MAX_BODY_BYTES = 100_000


def workflow(number: int = 1, partition: int = 1) -> str:
    """Return a workflow id."""
    return ids.workflow_id(partition, f"{number:032x}")


def step_id(workflow_id: str, number: int) -> str:
    """Return an id for a workflow's n-th step."""
    return hashlib.sha256(f"{workflow_id} {number}".encode()).hexdigest()[:16]


def entry(**changes: Any) -> IndexEntry:
    """Return an index entry of a running workflow."""
    plain = IndexEntry(
        status="running",
        definition="delivery@1.0.0",
        name="delivery",
        key=None,
        labels={},
        waiting=("task",),
        created_at_ms=1_000,
        updated_at_ms=1_000,
    )
    return replace(plain, **changes)


def start(workflow_id: str, **parts: Any) -> Commit:
    """Return the commit that creates a workflow."""
    fields: dict[str, Any] = {"snapshot": b'{"step":1}', "log": (b'{"n":1}',), "index": entry()}
    return Commit(workflow_id, None, step_id(workflow_id, 1), **(fields | parts))


def then(last: Commit, **parts: Any) -> Commit:
    """Return a commit that stands on another one: the workflow's next step."""
    number = last.first_step + len(last.log)
    fields: dict[str, Any] = {
        "snapshot": b'{"step":%d}' % number,
        "log": (b'{"n":%d}' % number,),
        "first_step": number,
    }
    new_id = step_id(last.workflow_id, number)
    return Commit(last.workflow_id, last.step_id, new_id, **(fields | parts))


def task(workflow_id: str, stage: str = "build", **changes: Any) -> NewTask:
    """Return a task of a stage's first attempt."""
    plain = NewTask(f"{workflow_id}/{stage}/1/1", LANE, 2, 60.0, b'{"input":{}}')
    return but(plain, **changes)


def claim(*lanes: str, slots: int = 10, lease_s: float = 30.0, lowest_first: bool = False) -> Claim:
    """Return a claim by one holder for one agent's lanes."""
    return Claim("worker-1", (Want(lanes or (LANE,), slots),), lease_s, lowest_first)


def lease_of(claimed: ClaimedTask) -> TaskLease:
    """Return the proof that a claimed task carries."""
    return TaskLease(claimed.task_id, claimed.token)


async def committed(backend: Backend, clock: VirtualClock, *commits: Commit) -> None:
    """Commit and require that all of it was applied."""
    verdicts = await backend.store.commit(commits, clock.now_ms())
    assert list(verdicts) == [Verdict.COMMITTED] * len(commits)


async def verdict(backend: Backend, clock: VirtualClock, commit: Commit) -> Verdict:
    """Commit and return what became of it."""
    (only,) = await backend.store.commit([commit], clock.now_ms())
    return only


async def queued(backend: Backend, clock: VirtualClock, *tasks: NewTask) -> None:
    """Start one workflow per workflow id that the tasks name, with these tasks, in this order."""
    by_workflow: dict[str, list[NewTask]] = {}
    for new in tasks:
        by_workflow.setdefault(ids.workflow_of(new.task_id), []).append(new)
    starts = [start(id_, new_tasks=tuple(new)) for id_, new in by_workflow.items()]
    await committed(backend, clock, *starts)


async def claimed_one(
    backend: Backend, clock: VirtualClock, *lanes: str, **parts: Any
) -> ClaimedTask:
    """Claim the only task that waits."""
    (only,) = await backend.tasks.claim(claim(*lanes, **parts), clock.now_ms())
    return only


async def inspected(backend: Backend, workflow_id: str) -> Sequence[TaskRecord]:
    """Return the task records of one workflow, by task id."""
    (records,) = await backend.tasks.inspect([workflow_id])
    return sorted(records, key=lambda record: record.task_id)


async def published(
    backend: Backend, clock: VirtualClock, workflow_id: str, *bodies: bytes
) -> None:
    """Put messages into the inbox of a workflow's partition."""
    messages = [Message(workflow_id, body) for body in bodies]
    await backend.bus.publish(Topic.INBOX, messages, clock.now_ms())


async def received(
    backend: Backend,
    clock: VirtualClock,
    after: Mapping[int, str] | None = None,
    *,
    limit: int = 1_000,
    later_s: float = 0.0,
) -> Received:
    """Return what waits now (or would wait later), in all partitions unless some are named."""
    positions = after if after is not None else dict.fromkeys(range(backend.partitions), "")
    now_ms = clock.now_ms() + round(later_s * 1000)
    return await backend.bus.receive(positions, limit, 0.0, now_ms, MAX_BODY_BYTES)


async def inbox(backend: Backend, clock: VirtualClock) -> Sequence[InboxMessage]:
    """Return all messages that wait."""
    return (await received(backend, clock)).messages


async def observed(backend: Backend, clock: VirtualClock, *workflow_ids: str) -> dict[str, Any]:
    """Return all that a backend shows of some workflows and of everything they share."""
    store, far_s = backend.store, 86_400.0
    waiting = await received(backend, clock, later_s=far_s)
    entries, _ = await backend.bus.replay(None, 10_000)
    page = await store.query(Query(limit=1_000))
    return {
        "loaded": await store.load(workflow_ids),
        "steps": [list(await store.log(id_)) for id_ in workflow_ids],
        "notes": [list(await store.log(id_, "notes")) for id_ in workflow_ids],
        "tasks": [await inspected(backend, id_) for id_ in workflow_ids],
        "rows": list(page.rows),
        "counts": dict(await store.counts()),
        "depths": list(await backend.tasks.depths()),
        "messages": list(waiting.messages),
        "timers": sorted(waiting.timers, key=lambda timer: (timer.workflow_id, timer.timer_id)),
        "expired": sorted(waiting.expired, key=lambda record: record.task_id),
        "marks": dict(waiting.marks),
        "feed": list(entries),
        "letters": list(await backend.dead_letters.list()),
    }
