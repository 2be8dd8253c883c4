"""Bugs in the backend in memory, which is the reference for all others."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_MEMORY = (
    Planted(
        "commits without looking at the step it rests on (memory)",
        "adapters/memory/step.py",
        "return workflow.step_id == commit.expected_step_id",
        "return commit.expected_step_id is not None",
        "application",
    ),
    Planted(
        "commits without looking at the token (memory)",
        "adapters/memory/step.py",
        "return task is not None and task.token == fence.token",
        "return task is not None",
        "application",
    ),
    Planted(
        "completes a task whatever the token (memory)",
        "adapters/memory/task_queue.py",
        "if task is None or task.token != completion.token:",
        "if task is None:",
        "contracts-memory",
    ),
    Planted(
        "extends a lease beyond its deadline (memory)",
        "adapters/memory/task_queue.py",
        "self._state.lease(task, min(until_ms, task.deadline_at_ms))",
        "self._state.lease(task, until_ms)",
        "contracts-memory",
    ),
    Planted(
        "leases more than there are free slots (memory)",
        "adapters/memory/task_queue.py",
        "for queue in queues[:free]:",
        "for queue in queues:",
        "contracts-memory",
    ),
    Planted(
        "writes the snapshot but not the feed (memory)",
        "adapters/memory/step.py",
        '        state.feed(commit.workflow_id, "step", body, now_ms)',
        "        pass",
        "contracts-memory",
    ),
    Planted(
        "forgets a workflow that has moved since it was looked at (memory)",
        "adapters/memory/workflow_store.py",
        "if workflow is None or workflow.step_id != step_id:",
        "if workflow is None:",
        "contracts-memory",
    ),
    Planted(
        "trims the feed by length (memory)",
        "adapters/memory/state.py",
        "is not None and entry.at_ms < before_ms:",
        "is not None and (entry.at_ms < before_ms or len(self.feed) > 1_000):",
        "contracts-memory",
    ),
)
