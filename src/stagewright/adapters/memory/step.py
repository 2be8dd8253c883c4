"""One commit applied to the state: checked as a whole, then written without a pause."""

from __future__ import annotations

from stagewright.adapters.memory.state import Namespace, Workflow
from stagewright.ports.commit import Commit, IndexEntry, Verdict
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task import TaskLease


def apply(state: Namespace, commit: Commit, now_ms: int) -> Verdict:
    """Apply a commit or change nothing."""
    if not _expected(state, commit, now_ms):
        return Verdict.CONFLICT
    if not all(_current(state, fence) for fence in commit.fences):
        return Verdict.FENCED
    if (workflow := state.workflows.get(commit.workflow_id)) is None:
        workflow = state.workflows[commit.workflow_id] = Workflow()
    workflow.step_id, workflow.snapshot = commit.step_id, commit.snapshot
    _record(state, workflow, commit, now_ms)
    _move_tasks(state, workflow, commit, now_ms)
    _move_timers(state, workflow, commit)
    _settle_messages(state, commit)
    if commit.index is not None:
        reindex(state, commit.workflow_id, workflow, commit.index)
    state.partition_of(commit.workflow_id).commits += 1
    if commit.ends:
        state.listeners.tell(Topic.ENDED, Message(commit.workflow_id, b""))
    return Verdict.COMMITTED


def _expected(state: Namespace, commit: Commit, now_ms: int) -> bool:
    workflow = state.workflows.get(commit.workflow_id)
    if workflow is not None:
        return workflow.step_id == commit.expected_step_id
    if commit.expected_step_id is not None:
        return False
    tombstone = state.tombstones.get(commit.workflow_id)
    return tombstone is None or tombstone.expires_at_ms <= now_ms


def _current(state: Namespace, fence: TaskLease) -> bool:
    task = state.tasks.get(fence.task_id)
    return task is not None and task.token == fence.token


def _record(state: Namespace, workflow: Workflow, commit: Commit, now_ms: int) -> None:
    workflow.log.extend(commit.log)
    for body in commit.log:
        state.feed(commit.workflow_id, "step", body, now_ms)
    for key, output in commit.outputs.items():
        workflow.outputs.setdefault(key, output)


def _move_tasks(state: Namespace, workflow: Workflow, commit: Commit, now_ms: int) -> None:
    for task_id in commit.closed_tasks:
        if (closed := workflow.tasks.pop(task_id, None)) is not None:
            state.withdraw(closed)
            del state.tasks[task_id]
    if commit.suspended is not None:
        _suspend(state, workflow, suspended=commit.suspended)
    for new in commit.new_tasks:
        if new.task_id in workflow.tasks:
            continue
        task = state.new_task(commit.workflow_id, new, now_ms)
        workflow.tasks[task.task_id] = state.tasks[task.task_id] = task
        if workflow.suspended:
            task.state = "suspended"
        else:
            state.enqueue(task)


def _suspend(state: Namespace, workflow: Workflow, *, suspended: bool) -> None:
    workflow.suspended = suspended
    for task in workflow.tasks.values():
        if suspended and task.state == "queued":
            state.withdraw(task)
            task.state = "suspended"
        elif not suspended and task.state == "suspended":
            state.enqueue(task)


def _move_timers(state: Namespace, workflow: Workflow, commit: Commit) -> None:
    partition = state.partition_of(commit.workflow_id)
    for timer_id in commit.cleared_timers:
        workflow.timers.discard(timer_id)
        partition.timers.drop((commit.workflow_id, timer_id))
    for timer_id, due_at_ms in commit.timers.items():
        workflow.timers.add(timer_id)
        partition.timers.put((commit.workflow_id, timer_id), due_at_ms)
        partition.readers.wake(due_at_ms)


def _settle_messages(state: Namespace, commit: Commit) -> None:
    partition = state.partition_of(commit.workflow_id)
    for position in commit.consumed:
        partition.inbox.pop(position)
    for letter in commit.dead_letters:
        state.partition_of(letter.letter_id).letters.setdefault(letter.letter_id, letter)


def reindex(
    state: Namespace, workflow_id: str, workflow: Workflow, entry: IndexEntry | None
) -> None:
    """Replace a workflow's index entry, None removes it."""
    if workflow.index is not None:
        del state.index[workflow_id]
        state.counts[workflow.index.status] -= 1
    workflow.index = entry
    if entry is not None:
        state.index[workflow_id] = entry
        state.counts[entry.status] += 1
