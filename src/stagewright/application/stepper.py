"""Folds the messages of one workflow into one commit."""

from __future__ import annotations

from collections.abc import Collection, Container
from typing import Any

from stagewright.application.catalog import Compiled
from stagewright.application.live import Live
from stagewright.domain.decide import decide
from stagewright.domain.draft import Context, Decision
from stagewright.domain.effects import (
    EMPTY,
    in_flight,
    index_changed,
    task_body,
    waiting_kinds,
)
from stagewright.domain.errors import Refused
from stagewright.domain.events import StepRecord, encode_step
from stagewright.domain.evolve import seal
from stagewright.domain.outputs import OutputMissing, Outputs
from stagewright.domain.snapshot import encode_state
from stagewright.domain.workflow import Answer, TaskWait, WorkflowState
from stagewright.ports.blob_store import IBlobStore
from stagewright.ports.commit import Commit, IndexEntry
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.system import IIdentifiers, IRandom
from stagewright.ports.task import NewTask, TaskLease

FETCH_LIMIT_BYTES = 8 * 1024 * 1024
"""Biggest output that is fetched so that a rule or a template can look inside."""


class OutputTooBig(Refused):
    """A rule or template looks into an output that is lost, or above the limit for fetching."""


class Stepper:
    """Applies messages to one workflow and turns what came of them into a commit."""

    def __init__(
        self,
        workflow_id: str,
        compiled: Compiled,
        live: Live | None,
        ids: IIdentifiers,
        randomness: IRandom,
    ) -> None:
        self.workflow_id = workflow_id
        self.compiled = compiled
        self.outputs = live.outputs if live is not None else Outputs()
        self.before: WorkflowState | None = live.state if live is not None else None
        self.state = self.before
        self._flight = live.flight if live is not None else EMPTY
        self._flight_after = self._flight
        self.consumed: list[str] = []
        self.fences: list[TaskLease] = []
        self.dead_letters: list[DeadLetter] = []
        self._ids, self._random = ids, randomness
        self.stale_timers: list[str] = []
        """Timers that fired although the state calls for none: they are cleared."""
        self.stale_tasks: list[str] = []
        """Task records that nothing waits for: they are closed."""
        self.answer: Answer | None = None
        """What the newest command was told."""
        self._log: list[bytes] = []
        self._built: Commit | None = None
        self._new_outputs: dict[str, bytes] = {}

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._log or self.stale_timers or self.stale_tasks)

    def apply(self, message: Any, cause: str, now_ms: int) -> Decision:
        """Apply one message; raises OutputMissing when a big output must be supplied first.

        Time never runs backwards within a workflow, whatever the clock does.
        """
        if self.state is not None:
            now_ms = max(now_ms, self.state.updated_at_ms)
        context = Context(
            self.compiled.plan, self.workflow_id, self.outputs, now_ms, self._random.random()
        )
        decision = decide(context, self.state, message)
        self._built = None
        self.answer = decision.answer
        if decision.events and decision.state is not None:
            number = 1 if self.state is None else self.state.step + 1
            step = StepRecord(
                number, self._ids.short(), now_ms, cause, decision.events, decision.answer
            )
            self.state = seal(decision.state, step)
            self._log.append(encode_step(step))
            self._new_outputs.update(decision.outputs)
        return decision

    def commit(self) -> Commit:
        """Return the commit (built once); raises OutputMissing like `apply`."""
        if self._built is None:
            self._built = self._build()
        return self._built

    def _build(self) -> Commit:
        before, after = self.before, self.state
        if after is None:
            msg = f"nothing was decided for {self.workflow_id}"
            raise ValueError(msg)
        old, new = self._flight, in_flight(after)
        self._flight_after = new
        return Commit(
            workflow_id=self.workflow_id,
            expected_step_id=None if before is None else before.step_id,
            step_id=after.step_id,
            snapshot=encode_state(after),
            log=tuple(self._log),
            first_step=after.step - len(self._log) + 1,
            outputs=self._new_outputs,
            new_tasks=tuple(
                [
                    new_task(self.compiled, after, self.outputs, id_, wait)
                    for id_, wait in new.tasks.items()
                    if id_ not in old.tasks
                ]
            ),
            closed_tasks=_gone(old.tasks, new.tasks, self.stale_tasks),
            timers={id_: at for id_, at in new.timers.items() if old.timers.get(id_) != at},
            cleared_timers=_gone(old.timers, new.timers, self.stale_timers),
            index=index_entry(after) if index_changed(before, after) else None,
            suspended=_suspension(before, after),
            consumed=tuple(self.consumed),
            fences=tuple(self.fences),
            dead_letters=tuple(self.dead_letters),
        )

    def live(self) -> Live:
        """Return the workflow as it stands once the commit took effect."""
        if self.state is None:
            msg = f"nothing was decided for {self.workflow_id}"
            raise ValueError(msg)
        return Live(self.state, self.outputs, self.compiled, self._flight_after)


def _gone(old: Collection[str], new: Container[str], stale: Collection[str]) -> tuple[str, ...]:
    gone = [id_ for id_ in old if id_ not in new]
    if stale:
        gone += [id_ for id_ in dict.fromkeys(stale) if id_ not in new and id_ not in old]
    return tuple(gone)


def new_task(
    compiled: Compiled, state: WorkflowState, outputs: Outputs, task_id: str, wait: TaskWait
) -> NewTask:
    """Return a task that the state calls for."""
    return NewTask(
        task_id=task_id,
        lane=wait.lane,
        priority=wait.priority,
        timeout_s=wait.timeout_s,
        body=task_body(compiled.plan, state, outputs, task_id),
    )


def index_entry(state: WorkflowState) -> IndexEntry:
    """Return what the workflow can be found by."""
    return IndexEntry(
        status=state.status.value,
        definition=state.name,
        name=state.title or state.name,
        key=state.key,
        labels=state.labels,
        waiting=waiting_kinds(state),
        created_at_ms=state.created_at_ms,
        updated_at_ms=state.updated_at_ms,
    )


def _suspension(before: WorkflowState | None, after: WorkflowState) -> bool | None:
    """Queued tasks stay out of their lanes while the workflow is paused."""
    was = before is not None and before.paused is not None
    now = after.paused is not None
    return None if was == now else now


async def supply(
    blobs: IBlobStore, workflow_id: str, outputs: Outputs, missing: OutputMissing
) -> None:
    """Fetch a big output that a decision asked for."""
    if missing.blob.bytes > FETCH_LIMIT_BYTES:
        raise OutputTooBig(
            f"output {missing.key} has {missing.blob.bytes} bytes; rules and templates look into "
            f"at most {FETCH_LIMIT_BYTES}",
            remedy="Hand it on whole, or let the agent give a smaller output.",
        )
    body = await blobs.get(workflow_id, missing.blob.hash)
    if body is None:
        raise OutputTooBig(
            f"output {missing.key} has lost its blob {missing.blob.hash}",
            remedy="Run the stage that gave it again.",
        )
    outputs.supply(missing.blob, body)
