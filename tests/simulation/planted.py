"""Bugs to plant: each is a mistake that systems like this one have really had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stagewright.adapters.memory import step
from stagewright.adapters.memory.message_bus import MemoryMessageBus
from stagewright.adapters.memory.state import Namespace
from stagewright.adapters.memory.task_queue import MemoryTaskQueue
from stagewright.application import consumer, ownership, signs
from stagewright.application.batch import BatchProcessor
from stagewright.application.consumer import Consumer
from stagewright.application.inbox import Work
from stagewright.application.live import LiveWorkflows
from stagewright.application.queries import Queries
from stagewright.application.reconciler import Reconciler
from stagewright.application.retention import Retention
from stagewright.application.submission import Submission
from stagewright.domain import decide, evolve, stages
from stagewright.domain.records import but
from stagewright.domain.workflow import TaskWait
from stagewright.ports.commit import Verdict

Plant = Callable[[pytest.MonkeyPatch], None]


def no_step_id_check(patch: pytest.MonkeyPatch) -> None:
    """Any step may follow any other."""
    patch.setattr(step, "_expected", lambda *_: True)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever has held a task once may finish it."""
    patch.setattr(step, "_current", lambda *_: True)


def results_without_proof(patch: pytest.MonkeyPatch) -> None:
    """The step forgets to ask for the token."""
    settle = Work.settle

    def careless(self: Work, *args: Any) -> None:
        fence, self.fence = self.fence, None
        settle(self, *args)
        self.fence = fence

    patch.setattr(Work, "settle", careless)


def acknowledge_before_commit(patch: pytest.MonkeyPatch) -> None:
    """A message is deleted when it is read."""
    apply = Consumer._apply

    async def hasty(self: Consumer, received: Any) -> None:
        if received.messages:
            await self._backend.bus.acknowledge(received.messages)
        await apply(self, received)

    patch.setattr(Consumer, "_apply", hasty)


def only_what_is_new(patch: pytest.MonkeyPatch) -> None:
    """A new owner begins at the end of the inbox."""
    take = Consumer.take

    async def at_the_end(self: Consumer, partition: int) -> None:
        await take(self, partition)
        left = await self._backend.bus.receive({partition: ""}, 10**6, 0.0, 0, 10**6)
        if left.messages:
            self._positions[partition] = left.messages[-1].position

    patch.setattr(Consumer, "take", at_the_end)


def timers_in_memory(patch: pytest.MonkeyPatch) -> None:
    """A timer fires at its instant or never: who was not there has missed it."""
    timers = MemoryMessageBus._timers

    def fleeting(self: MemoryMessageBus, after: Any, limit: int, now_ms: int) -> Any:
        due = timers(self, after, limit, now_ms)
        return [timer for timer in due if timer.due_at_ms > now_ms - 1_000]

    patch.setattr(MemoryMessageBus, "_timers", fleeting)


def join_by_counter(patch: pytest.MonkeyPatch) -> None:
    """Ends of branches are counted in memory, also those that were decided twice."""
    counted: Counter[tuple[str, str, int]] = Counter()
    end_branch = stages._end_branch

    def counting(draft: Any, group: str, branch: str, end: Any) -> None:
        key = (draft.context.workflow_id, group, draft.record_of(group).visit)
        counted[key] += 1
        end_branch(draft, group, branch, end)
        wait = draft.current.awaiting.get(group)
        if wait is not None and counted[key] >= draft.plan_of(group).stage.needed:
            stages._join(draft, group, wait, holds=True)

    patch.setattr(stages, "_end_branch", counting)


def lock_without_expiry(patch: pytest.MonkeyPatch) -> None:
    """A dead owner keeps its partitions for ever."""
    give = signs.give_sign

    async def forever(*sign: Any, lasts_s: float, **when: Any) -> None:
        await give(*sign, lasts_s=1e9 * lasts_s, **when)

    patch.setattr(ownership, "give_sign", forever)


def leases_nobody_watches(patch: pytest.MonkeyPatch) -> None:
    """A lease runs out and nobody looks."""

    def unwatched(_: Namespace, task: Any, expires_at_ms: int) -> None:
        task.expires_at_ms = expires_at_ms

    patch.setattr(Namespace, "lease", unwatched)


def trust_in_what_is_remembered(patch: pytest.MonkeyPatch) -> None:
    """What looks unwanted in memory is thrown away without a look at the store."""
    get = LiveWorkflows.get

    async def trusting(self: LiveWorkflows, workflow_ids: Any) -> Any:
        found = await get(self, workflow_ids)
        self.fresh.update(found)
        return found

    patch.setattr(LiveWorkflows, "get", trusting)


def answer_before_commit(patch: pytest.MonkeyPatch) -> None:
    """A command is answered whatever became of its commit."""
    took_effect = Submission._took_effect

    async def hopeful(self: Submission, stepper: Any) -> bool:
        await took_effect(self, stepper)
        return True

    patch.setattr(Submission, "_took_effect", hopeful)


def commands_are_not_remembered(patch: pytest.MonkeyPatch) -> None:
    """A command that is sent again is applied again."""
    patch.setattr(evolve, "COMMANDS_KEPT", 0)


def a_conflict_counts_as_done(patch: pytest.MonkeyPatch) -> None:
    """Whoever loses a race goes on as if it had won."""
    settle = BatchProcessor._settle

    async def blind(self: BatchProcessor, groups: Any, folds: Any, verdicts: Any) -> Any:
        won = [Verdict.COMMITTED if v is Verdict.CONFLICT else v for v in verdicts]
        return await settle(self, groups, folds, won)

    patch.setattr(BatchProcessor, "_settle", blind)


def any_attempt_will_do(patch: pytest.MonkeyPatch) -> None:
    """A result of an earlier attempt or visit ends the one of now."""

    def lenient(state: Any, task: Any) -> Any:
        wait = state.awaiting.get(task.stage)
        return wait if isinstance(wait, TaskWait) else None

    patch.setattr(decide, "awaited_task", lenient)


def no_reconciler(patch: pytest.MonkeyPatch) -> None:
    """What was lost stays lost."""

    async def idle(*_: Any) -> int:
        return 0

    patch.setattr(Reconciler, "reconcile", idle)


def retention_of_the_living(patch: pytest.MonkeyPatch) -> None:
    """What has not changed for long is thrown away, ended or not."""
    sweep = Retention._sweep

    async def harsh(self: Retention, partition: int, status: str) -> int:
        return await sweep(self, partition, "waiting" if status == "failed" else status)

    patch.setattr(Retention, "_sweep", harsh)


def queued_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """A step that conflicts leaves its new tasks behind all the same."""
    apply = step.apply

    def leaky(state: Any, commit: Any, now_ms: int) -> Verdict:
        verdict = apply(state, commit, now_ms)
        workflow = state.workflows.get(commit.workflow_id)
        if verdict is Verdict.CONFLICT and workflow is not None:
            step._move_tasks(state, workflow, but(commit, closed_tasks=()), now_ms)
        return verdict

    patch.setattr(step, "apply", leaky)


def a_hint_is_all(patch: pytest.MonkeyPatch) -> None:
    """A completion is published before the token is looked at, and ends the task all the same."""
    complete = MemoryTaskQueue._complete

    def trusting(self: MemoryTaskQueue, completion: Any) -> bool:
        task = self._state.tasks.get(completion.task_id)
        if task is not None and task.state == "leased":
            self._state.withdraw(task)
            task.state, task.expires_at_ms = "done", None
            self._state.deliver(task.workflow_id, completion.result)
            return True
        return complete(self, completion)

    patch.setattr(MemoryTaskQueue, "_complete", trusting)


def no_stage_is_held(patch: pytest.MonkeyPatch) -> None:
    """What kills whoever reads it is only moved to the dead letters."""
    patch.setattr(consumer, "HOLDS", 0)


def silence_about_dead_letters(patch: pytest.MonkeyPatch) -> None:
    """A result that was moved to the dead letters is said to be in the inbox."""

    async def none(*_: object) -> dict[str, str]:
        return {}

    no_stage_is_held(patch)
    patch.setattr(Queries, "_letters", none)


PLANTS: tuple[Plant, ...] = (
    no_step_id_check,
    no_fence,
    results_without_proof,
    acknowledge_before_commit,
    only_what_is_new,
    timers_in_memory,
    join_by_counter,
    lock_without_expiry,
    leases_nobody_watches,
    trust_in_what_is_remembered,
    answer_before_commit,
    commands_are_not_remembered,
    a_conflict_counts_as_done,
    any_attempt_will_do,
    no_reconciler,
    retention_of_the_living,
    queued_before_the_commit,
    a_hint_is_all,
    silence_about_dead_letters,
)
