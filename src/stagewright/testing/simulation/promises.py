"""Holds every step of a run against what is promised, at the moment it is taken.

It keeps a model of each workflow that is folded from the logged bytes alone. What stands in the
store must agree with it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from stagewright.application.consumer import CRASHED
from stagewright.application.explain import Scene, explain
from stagewright.domain import definition as d
from stagewright.domain import events as ev
from stagewright.domain.decide import quarantined
from stagewright.domain.effects import in_flight
from stagewright.domain.events import StepRecord, decode_step
from stagewright.domain.evolve import apply_step
from stagewright.domain.ids import TaskId, workflow_of
from stagewright.domain.plan import Plan
from stagewright.domain.snapshot import encode_state
from stagewright.domain.stage_result import blob_ref
from stagewright.domain.workflow import WorkflowState
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.message_bus import InboxMessage, Message
from stagewright.ports.task import TaskRecord
from stagewright.ports.task_queue import Completion
from stagewright.testing.checker import Execution
from stagewright.testing.simulation.records import Records
from stagewright.testing.witness import Witness, task_of

Look = Callable[[str], tuple[Mapping[str, TaskRecord], str | None]]
"""Workflow to its task records and the owner of its partition, as they are stored now."""


@dataclass
class Model:
    """One workflow as its log tells it."""

    state: WorkflowState | None = None
    plan: Plan | None = None
    step_ids: set[str] = field(default_factory=set)
    causes: set[str] = field(default_factory=set)
    ended: set[tuple[str, int]] = field(default_factory=set)
    won: dict[str, set[str]] = field(default_factory=dict)
    """By group: the branches of its newest visit that succeeded."""
    answered: dict[str, bool] = field(default_factory=dict)
    """Command id to yes or no."""
    moved_at_ms: int = 0
    lost: set[str] = field(default_factory=set)
    """Tasks that the store was made to lose."""
    forgotten: bool = False


class Promises(Witness):
    """A witness that knows what each step must keep."""

    def __init__(
        self, records: Records, look: Look, plan: Callable[[str], Plan], now_ms: Callable[[], int]
    ) -> None:
        super().__init__()
        self.models: dict[str, Model] = {}
        self._records, self._look, self._plan, self._now_ms = records, look, plan, now_ms
        self._given: set[tuple[str, str, int, str]] = set()
        self._inbox: dict[tuple[int, str], tuple[str, str, int] | None] = {}
        self._sent: list[Message] = []

    def note(self, entry: Execution) -> None:
        """Hear from an agent what it is about to give."""
        digest = hashlib.sha256(entry.output).hexdigest()
        self._given.add((entry.workflow_id, entry.stage, entry.visit, digest))

    def broken(self, sentence: str) -> None:
        """Note a broken promise."""
        self.violations.append(sentence)
        self._records.tell("PROMISES", f"broken: {sentence}")

    def took_effect(self, command_id: str) -> bool:
        """Whether a command was accepted in some log."""
        return any(model.answered.get(command_id) for model in self.models.values())

    def losing(self, workflow_id: str, task_ids: Iterable[str]) -> None:
        """Hear which tasks the store is about to lose."""
        self.models.setdefault(workflow_id, Model()).lost.update(task_ids)

    def results(self, completions: Iterable[Completion]) -> None:
        """Keep results, so that they can come again."""
        completions = list(completions)
        super().results(completions)
        self._sent.extend(
            Message(workflow_of(completion.task_id), completion.result)
            for completion in completions
        )

    def some_result(self, chance: random.Random) -> Message | None:
        """Return a result that was handed in at some time."""
        return chance.choice(self._sent) if self._sent else None

    def commits(self, commits: Sequence[Commit], verdicts: Sequence[Verdict]) -> None:
        """Count what did not take effect."""
        self._records.fact("a commit lost its race", verdicts.count(Verdict.CONFLICT))
        self._records.fact("a commit was fenced", verdicts.count(Verdict.FENCED))
        for commit, verdict in zip(commits, verdicts, strict=True):
            self._records.tell("STORE", f"{verdict.value} {_told(commit)}")
        super().commits(commits, verdicts)

    # --- steps ---------------------------------------------------------------------------------

    def steps(self, commit: Commit) -> None:
        """Fold what was committed, and hold it against every promise."""
        seen = len(self.violations)
        super().steps(commit)
        for sentence in self.violations[seen:]:
            self._records.tell("PROMISES", f"broken: {sentence}")
        model = self.models.setdefault(commit.workflow_id, Model())
        for body in commit.log:
            self._step(model, commit, decode_step(body))
        if not commit.log:
            self._repaired(model, commit)
        model.moved_at_ms = self._now_ms()
        self._consumed(model, commit)
        self._standing(model, commit)

    def _step(self, model: Model, commit: Commit, step: StepRecord) -> None:
        id_, before = commit.workflow_id, model.state
        if before is not None and before.status.terminal:
            self.broken(f"{id_} changed after it had ended: {step.cause}")
        number = 1 if before is None else before.step + 1
        if step.n != number:
            self.broken(f"{id_}: step {step.n} was committed in place of {number}")
        if step.id in model.step_ids:
            self.broken(f"{id_}: step id {step.id} stands in the log twice")
        if step.cause in model.causes and step.cause.startswith("result "):
            self.broken(f"{id_}: {step.cause} was applied twice")
        self._asked_for(id_, before, step.cause)
        model.step_ids.add(step.id)
        model.causes.add(step.cause)
        if step.answer is not None:
            if step.answer.command_id in model.answered:
                self.broken(f"{id_}: command {step.answer.command_id} was applied twice")
            model.answered[step.answer.command_id] = step.answer.ok
        for event in step.events:
            self._event(model, commit, event)
        model.state = apply_step(id_, before, step)
        if before is not None and before.definition != model.state.definition:
            self.broken(f"{id_} runs on another definition than it began with")

    def _asked_for(self, id_: str, before: WorkflowState | None, cause: str) -> None:
        """A result belongs to the attempt that was awaited when it was applied."""
        task_id, _ = self._results.get(cause, ("", 0))
        if not task_id or before is None or task_id in in_flight(before).tasks:
            return
        if not quarantined(before, TaskId.parse(task_id)):
            self.broken(f"{id_}: {cause} was applied, and nobody waited for {task_id}")

    def _event(self, model: Model, commit: Commit, event: ev.Event) -> None:
        self._records.fact(event.type)
        if isinstance(event, ev.WorkflowCreated):
            model.plan = self._plan(event.definition)
            self._records.fact("a successor went on", bool(event.continues))
        self._grouped(model, event)
        for error in getattr(event, "errors", ()):
            self._records.fact(f"error {error.get('type')}")
        if not isinstance(event, ev.StageComplete):
            return
        self._records.fact(f"ended as {event.outcome}")
        visit = (event.stage, event.visit)
        if visit in model.ended:
            self.broken(f"{commit.workflow_id}: {event.stage} visit {event.visit} ended twice")
        model.ended.add(visit)
        body = commit.outputs.get(event.output or "")
        if event.attempt and body is not None and not self._was_given(commit, event, body):
            self.broken(f"{commit.workflow_id}: no agent gave the output of {event.stage}")

    def _grouped(self, model: Model, event: ev.Event) -> None:
        """A group that is `ok` has as many branches that succeeded as its join asks for."""
        if isinstance(event, ev.GroupStarted):
            model.won[event.stage] = set()
        elif isinstance(event, ev.BranchEnded) and event.end.outcome == d.OK:
            model.won[event.stage].add(event.branch)
        elif isinstance(event, ev.StageComplete) and event.outcome == d.OK and model.plan:
            stage = model.plan.stages[event.stage].stage
            if isinstance(stage, d.ParallelStage) and len(model.won[event.stage]) < stage.needed:
                self.broken(f"{event.stage} was joined with {model.won[event.stage]} alone")

    def _was_given(self, commit: Commit, event: ev.StageComplete, body: bytes) -> bool:
        blob = blob_ref(orjson.loads(body))
        digest = hashlib.sha256(body).hexdigest() if blob is None else blob.hash
        return (commit.workflow_id, event.stage, event.visit, digest) in self._given

    def _repaired(self, model: Model, commit: Commit) -> None:
        """A commit without a step: what is in flight was put back, or what is stale was cleared."""
        if commit.new_tasks:
            self._records.fact("a lost task was put back")
            model.lost.difference_update(task.task_id for task in commit.new_tasks)
        elif commit.timers:
            self._records.fact("overdue timers were set again")
        else:
            self._records.fact("something stale was cleared")

    def _standing(self, model: Model, commit: Commit) -> None:
        """What is stored after the step is what the log says, and it can say why it waits."""
        state = model.state
        if state is None or encode_state(state) != commit.snapshot:
            self.broken(f"{commit.workflow_id}: the snapshot is not the fold of the log")
            return
        if state.status.terminal:
            return
        if model.plan is None:
            self.broken(f"{commit.workflow_id} was never created")
            return
        records, owner = self._look(commit.workflow_id)
        reasons = explain(state, Scene(model.plan, records, (), owner))
        if not reasons or not all(one.reason and one.owner for one in reasons):
            self.broken(f"{commit.workflow_id} waits, and nobody can say why: {reasons}")
        for id_ in in_flight(state).tasks:
            if id_ not in records and id_ not in model.lost:
                self.broken(f"{id_} should be in the queue and is not")

    # --- messages ------------------------------------------------------------------------------

    def received(self, messages: Iterable[InboxMessage]) -> None:
        """Remember what stands at which place of an inbox."""
        for message in messages:
            place = (message.partition, message.position)
            if place not in self._inbox:
                self._inbox[place] = known = task_of(message.body)
                if known is not None:  # who redrives a letter gives it the token of now
                    cause, task_id, token = known
                    before = self._results.get(cause, (task_id, token))
                    self._results[cause] = max(before, (task_id, token))

    def acknowledged(self, messages: Iterable[InboxMessage]) -> None:
        """A message that is deleted without a step must be one that nobody waits for."""
        for message in messages:
            self._records.fact("a message changed nothing")
            self._gone(message, "was acknowledged")

    def rejected(self, message: InboxMessage, reason: str) -> None:
        """A dead letter must not be a result that somebody waits for."""
        self._records.fact("a message became a dead letter")
        if "stale token" in reason:
            self._records.fact("a result was fenced")
        if reason != CRASHED:  # what killed six readers is kept for a person
            self._gone(message, f"was rejected ({reason})")

    def _gone(self, message: InboxMessage, how: str) -> None:
        known = self._inbox.get((message.partition, message.position))
        if known is None and message.lease is not None:
            known = ("what cannot be read", message.lease.task_id, message.lease.token)
        if known is not None and self._awaited(known):
            self.broken(f"{known[0]} of {known[1]} {how} though it is awaited")

    def _consumed(self, model: Model, commit: Commit) -> None:
        partition = int(commit.workflow_id[1 : commit.workflow_id.index("-")])
        for position in commit.consumed:
            known = self._inbox.get((partition, position))
            if known is not None and known[0] not in model.causes and self._awaited(known):
                self.broken(f"{known[0]} of {known[1]} was consumed and not applied")

    def _awaited(self, known: tuple[str, str, int]) -> bool:
        _, task_id, token = known
        model = self.models.get(task_id.partition("/")[0])
        state = None if model is None else model.state
        if state is None or not self.current(task_id, token):
            return False
        return task_id in in_flight(state).tasks and not quarantined(state, TaskId.parse(task_id))

    def forgotten(self, workflow_id: str) -> None:
        """Only what has ended may be forgotten."""
        self._records.fact("a workflow was forgotten")
        model = self.models[workflow_id]
        model.forgotten = True
        if model.state is None or not model.state.status.terminal:
            self.broken(f"{workflow_id} was forgotten before it had ended")


def _told(commit: Commit) -> str:
    """What a commit is about, for the trace."""
    steps = [decode_step(body) for body in commit.log]
    said = [f"{step.n} {step.cause}: {' '.join(e.type for e in step.events)}" for step in steps]
    queued = [task.task_id.partition("/")[2] for task in commit.new_tasks]
    return f"{commit.workflow_id} {'; '.join(said) or 'repair'} {queued or ''}"
