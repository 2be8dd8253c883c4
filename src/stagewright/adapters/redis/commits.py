"""A commit as the flat arguments of the `commit` Function (see functions/commit.lua)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from stagewright.adapters.redis.connection import Argument
from stagewright.adapters.redis.indexes import members
from stagewright.adapters.redis.letters import pack_letter
from stagewright.domain.errors import LimitExceeded, UsageError
from stagewright.ports.commit import Commit
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.task import NewTask

_shape = struct.Struct(">HHHHHHHHHHB").pack

_SUSPENSION = {None: 0, False: 1, True: 2}

_ENDS = 4
MOST_PARTS = 65_535


def encode(commit: Commit) -> list[Argument]:
    """Return the arguments of one commit; raise LimitExceeded when a part has too many items."""
    entry = commit.index
    index = members(commit.workflow_id, entry) if entry is not None else ()
    arguments: list[Argument] = [
        _shape_of(commit, len(index)),
        commit.expected_step_id or "",
        commit.step_id,
        commit.snapshot,
    ]
    for fence in commit.fences:
        arguments += (fence.task_id, fence.token)
    arguments += commit.closed_tasks
    for task in commit.new_tasks:
        arguments += _task(task)
    arguments += commit.consumed
    for key, output in commit.outputs.items():
        arguments += (f"o:{key}", output)
    arguments += commit.log
    for timer_id, due_at_ms in commit.timers.items():
        arguments += (timer_id, due_at_ms)
    arguments += commit.cleared_timers
    arguments += index
    for letter in commit.dead_letters:
        arguments += _letter(letter, commit.workflow_id)
    return arguments


def _letter(letter: DeadLetter, workflow_id: str) -> Iterable[Argument]:
    partition = workflow_id.partition("-")[0]
    if not letter.letter_id.startswith(f"{partition}-"):
        raise UsageError(
            f"letter_id: {letter.letter_id} names another partition than {workflow_id}.",
            remedy=f"Begin it with {partition}-.",
        )
    return letter.letter_id, pack_letter(letter)


def _task(task: NewTask) -> Iterable[Argument]:
    timeout_ms = round(task.timeout_s * 1000)
    return task.task_id, task.lane, task.priority, timeout_ms, task.body


def _shape_of(commit: Commit, index: int) -> bytes:
    try:
        return _shape(
            len(commit.fences),
            len(commit.closed_tasks),
            len(commit.new_tasks),
            len(commit.consumed),
            len(commit.outputs),
            len(commit.log),
            len(commit.timers),
            len(commit.cleared_timers),
            index,
            len(commit.dead_letters),
            _SUSPENSION[commit.suspended] + (_ENDS if commit.ends else 0),
        )
    except struct.error:
        raise _too_many(commit) from None


def _too_many(commit: Commit) -> LimitExceeded:
    parts = (commit.new_tasks, commit.closed_tasks, commit.consumed, commit.log, commit.timers)
    return LimitExceeded(
        f"The largest part of a commit of {commit.workflow_id}",
        found=max(map(len, parts)),
        limit=MOST_PARTS,
    )
