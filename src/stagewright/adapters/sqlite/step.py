"""Commits applied inside a transaction: each checked first, then all written together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stagewright.adapters.sqlite.facets import facets_of
from stagewright.adapters.sqlite.feed import Feed
from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.ports.commit import Commit, IndexEntry, Verdict
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Advanced

Rows = list[Sequence[Any]]


@dataclass(slots=True)
class _Rows:
    """What accepted commits write, by statement."""

    records: Rows = field(default_factory=list)
    outputs: Rows = field(default_factory=list)
    closed: Rows = field(default_factory=list)
    tasks: Rows = field(default_factory=list)
    cleared: Rows = field(default_factory=list)
    timers: Rows = field(default_factory=list)
    consumed: Rows = field(default_factory=list)
    letters: Rows = field(default_factory=list)
    entries: Rows = field(default_factory=list)
    queued: dict[str, tuple[str, str]] = field(default_factory=dict)
    """New tasks that wait: the workflow id and lane of each."""
    resumed: list[tuple[str, str]] = field(default_factory=list)
    """Workflow ids with lanes that got tasks back."""
    due: dict[int, int] = field(default_factory=dict)
    """The earliest new timer of each partition."""
    commits: Counter[int] = field(default_factory=Counter)
    ended: list[str] = field(default_factory=list)


class Steps:
    """Applies commits."""

    def __init__(self, hints: Hints, feed: Feed) -> None:
        self._hints, self._feed = hints, feed

    def apply(
        self,
        transaction: Transaction,
        commits: Sequence[Commit],
        now_ms: int,
        claim: Callable[[], list[ClaimedTask]] = list,
    ) -> Advanced:
        """Apply each commit or change nothing for it; then claim, and tell of what still waits."""
        rows = _Rows()
        verdicts = [_apply(transaction, commit, rows, now_ms) for commit in commits]
        _write(transaction, rows)
        if rows.records:
            self._feed.trim_late(transaction, now_ms)
            transaction.after_commit(self._hints.feed_readers.wake)
        claimed = claim()
        for task in claimed:
            rows.queued.pop(task.task_id, None)
        self._tell(transaction, rows)
        return Advanced(verdicts, claimed)

    def _tell(self, transaction: Transaction, rows: _Rows) -> None:
        lanes = [*rows.queued.values(), *rows.resumed]
        for partition, count in rows.commits.items():
            ((commits,),) = transaction.rows("count_commits", (partition, count))
            transaction.after_commit(self._hints.counted, partition, commits)
        if lanes:
            transaction.after_commit(self._hints.lanes_grew, lanes)
        if rows.ended:
            transaction.after_commit(self._hints.ended, rows.ended)
        for partition, at_ms in rows.due.items():
            transaction.after_commit(self._hints.falls_due, partition, at_ms)


def _apply(transaction: Transaction, commit: Commit, rows: _Rows, now_ms: int) -> Verdict:
    """Check a commit, store its snapshot, and note what else it writes."""
    partition = transaction.partition_of(commit.workflow_id)
    if commit.fences and not all(
        transaction.row("select_fence", (fence.task_id, fence.token)) for fence in commit.fences
    ):
        return Verdict.FENCED if _stands(transaction, commit) else Verdict.CONFLICT
    suspended = _store_snapshot(transaction, commit, now_ms)
    if suspended is None:
        return Verdict.CONFLICT
    rows.commits[partition] += 1
    _note_records(transaction, commit, rows, now_ms)
    _note_tasks(transaction, commit, rows, partition, now_ms, suspended=suspended)
    _note_timers(commit, rows, partition)
    if commit.consumed:
        rows.consumed += [(int(position), partition) for position in commit.consumed]
    if commit.dead_letters:
        rows.letters += [
            (letter.letter_id, letter.workflow_id, letter.reason, letter.body, letter.at_ms)
            for letter in commit.dead_letters
        ]
    if commit.index is not None:
        rows.entries.append(_entry(commit.workflow_id, partition, commit.index))
        if commit.ends:
            rows.ended.append(commit.workflow_id)
    return Verdict.COMMITTED


def _stands(transaction: Transaction, commit: Commit) -> bool:
    """Whether the workflow's last step is the expected one."""
    step = transaction.row("select_step", (commit.workflow_id,))
    return (step[0] if step else None) == commit.expected_step_id


def _store_snapshot(transaction: Transaction, commit: Commit, now_ms: int) -> bool | None:
    """Return whether the workflow is suspended from now on; None: not the expected step."""
    if commit.expected_step_id is None:
        values = (
            commit.workflow_id,
            commit.step_id,
            commit.snapshot,
            bool(commit.suspended),
            now_ms,
        )
        row = transaction.row("insert_workflow", values)
    else:
        row = transaction.row(
            "update_workflow",
            (
                commit.workflow_id,
                commit.expected_step_id,
                commit.step_id,
                commit.snapshot,
                commit.suspended,
            ),
        )
    return None if row is None else bool(row[0])


def _note_records(transaction: Transaction, commit: Commit, rows: _Rows, now_ms: int) -> None:
    id_, draw = commit.workflow_id, transaction.next_number
    for number, body in enumerate(commit.log, commit.first_step):
        rows.records.append((draw(), id_, "step", number, now_ms, body))
    for key, output in commit.outputs.items():
        rows.outputs.append((id_, key, output))


def _note_tasks(
    transaction: Transaction,
    commit: Commit,
    rows: _Rows,
    partition: int,
    now_ms: int,
    *,
    suspended: bool,
) -> None:
    for task_id in commit.closed_tasks:
        rows.closed.append((task_id,))
    if commit.suspended is True:
        transaction.change("suspend_tasks", (commit.workflow_id,))
    elif commit.suspended is False:
        resumed = transaction.rows("resume_tasks", (commit.workflow_id,))
        rows.resumed += [(commit.workflow_id, lane) for (lane,) in resumed]
    for new in commit.new_tasks:
        rows.tasks.append(
            (
                transaction.next_number(),
                new.task_id,
                partition,
                "suspended" if suspended else "queued",
                new.lane,
                new.priority,
                now_ms,
                round(new.timeout_s * 1000),
                new.body,
            )
        )
        if not suspended:
            rows.queued[new.task_id] = (commit.workflow_id, new.lane)


def _note_timers(commit: Commit, rows: _Rows, partition: int) -> None:
    for timer_id in commit.cleared_timers:
        rows.cleared.append((commit.workflow_id, timer_id))
    for timer_id, due_at_ms in commit.timers.items():
        rows.timers.append((commit.workflow_id, timer_id, partition, due_at_ms))
        rows.due[partition] = min(due_at_ms, rows.due.get(partition, due_at_ms))


def _entry(workflow_id: str, partition: int, index: IndexEntry) -> tuple[Any, ...]:
    return (
        workflow_id,
        partition,
        index.status,
        index.definition,
        index.name,
        index.key,
        facets_of(index),
        index.created_at_ms,
        index.updated_at_ms,
    )


def _write(transaction: Transaction, rows: _Rows) -> None:
    for statement, values in (
        ("insert_record", rows.records),
        ("insert_output", rows.outputs),
        ("close_task", rows.closed),
        ("insert_task", rows.tasks),
        ("clear_timer", rows.cleared),
        ("set_timer", rows.timers),
        ("delete_message", rows.consumed),
        ("insert_letter", rows.letters),
        ("put_entry", rows.entries),
    ):
        if values:
            transaction.change_many(statement, values)
