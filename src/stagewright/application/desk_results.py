"""Results that come over HTTP: read, decided in batches, and looked up again in the log.

Whoever hands in decides, as a runner of ours does: so the answer can say what became of a result,
and what it says is what the workflow's log says. A result has an id that follows from its content,
and the step that applied it names that id as its cause. So a result that is sent again, after its
answer or its server was lost, is found, and another one with the same token is told apart.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import structlog

from stagewright.application.batch import CONFLICT_ROUNDS, BatchProcessor
from stagewright.application.inbox import Work, work_of
from stagewright.application.live import LiveWorkflows
from stagewright.domain.bounded_json import MAX_DEPTH, canonical
from stagewright.domain.envelope import StageResult, read_envelope, rfc3339
from stagewright.domain.errors import StagewrightError, Unreachable
from stagewright.domain.events import StepRecord, decode_step
from stagewright.domain.ids import TaskId
from stagewright.domain.stage_result import JSON_TYPE, STAGE_RESULT, STAGE_RESULT_SCHEMA
from stagewright.ports.agent_desk import Receipt, TaskResult
from stagewright.ports.workflow_store import IWorkflowStore

log = structlog.get_logger(__name__)

BATCH = 256
PAGE = 1_000
PAGES = 10
"""So many pages of a log, from its end, are searched for what became of a task."""


def result_id(task: str, result: TaskResult) -> str:
    """Return the id of a result's envelope: the same content has the same."""
    body = canonical(result.model_dump(), max_depth=MAX_DEPTH - 1)
    return hashlib.sha256(task.encode() + b"\0" + body).hexdigest()[:32]


def read_result(task: TaskId, result: TaskResult, source: str, now_ms: int) -> StageResult:
    """Return a result as runners make it; EnvelopeRejected names the field that is wrong."""
    return read_envelope(
        {
            "specversion": "1.0",
            "id": result_id(str(task), result),
            "source": source[:256],
            "type": STAGE_RESULT,
            "subject": task.workflow_id,
            "time": rfc3339(now_ms),
            "dataschema": STAGE_RESULT_SCHEMA,
            "datacontenttype": JSON_TYPE,
            "stage": task.stage,
            "task": str(task),
            "attempt": task.attempt,
            "leasetoken": result.token,
            "data": {
                "workflow_id": task.workflow_id,
                "stage": task.stage,
                **result.model_dump(exclude={"token"}),
            },
        }
    )


class Deciding:
    """Decides results one batch at a time: while a commit is under way, the next gathers."""

    def __init__(self, lives: LiveWorkflows, processor: BatchProcessor) -> None:
        self._lives, self._processor = lives, processor
        self._ready: list[tuple[Work, asyncio.Future[None]]] = []
        self._rung = asyncio.Event()

    async def decide(self, result: StageResult) -> None:
        """Return when the result was applied or refused, which the log tells; Unreachable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.append((work_of(result), done))
        self._rung.set()
        await done

    async def run(self) -> None:
        """Decide for ever."""
        batch: list[tuple[Work, asyncio.Future[None]]] = []
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                while self._ready:
                    batch, self._ready = self._ready[:BATCH], self._ready[BATCH:]
                    await self._batch(batch)
        finally:
            for _, done in [*batch, *self._ready]:
                if not done.done():
                    _settle(done, Unreachable("The desk", "its server stops"), busy=False)

    async def _batch(self, batch: list[tuple[Work, asyncio.Future[None]]]) -> None:
        error: Exception | None = None
        lost: set[int] = set()
        try:
            work = [item for item, _ in batch]
            lost = {id(item) for item in await self._processor.attempt(work, CONFLICT_ROUNDS)}
        except StagewrightError as failed:
            error = failed
        except Exception as failed:  # one batch must not end the duty
            log.exception("results_not_decided")
            error = Unreachable("The desk", type(failed).__name__, remedy="Send the result again.")
        if error is not None:
            self._lives.clear()  # nobody knows what took effect
        for item, done in batch:
            if not done.done():
                _settle(done, error, busy=id(item) in lost)


def _settle(done: asyncio.Future[None], error: Exception | None, *, busy: bool) -> None:
    if error is None and busy:
        reason = "the workflow kept moving under other processes"
        error = Unreachable("The desk", reason, remedy="Send the result again.")
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class History:
    """What logs say of tasks."""

    def __init__(self, store: IWorkflowStore) -> None:
        self._store = store

    async def ended(self, task: TaskId, steps: int) -> StepRecord | None:
        """Return the step, of so many, that ended an attempt; None where there is none.

        Of a result that was recorded during a pause it is the step that recorded it.
        """
        found = None
        end = steps
        for _ in range(PAGES):
            start = max(end - PAGE, 0)
            page = await self._store.log(task.workflow_id, "steps", start, max(end - start, 1))
            for body in reversed(page):
                if b'"%s"' % task.stage.encode() not in body and str(task).encode() not in body:
                    continue
                step = decode_step(body)
                if event_of(step, task) is not None:
                    found = step
                elif _assigns(step, task):
                    return found
            end = start
            if end == 0:
                break
        return found


def _assigns(step: StepRecord, task: TaskId) -> bool:
    wanted = ("TASK_ASSIGNED", task.stage, task.visit, task.attempt)
    return any(
        (event.type, *(getattr(event, name, None) for name in ("stage", "visit", "attempt")))
        == wanted
        for event in step.events
    )


def is_of(step: StepRecord, id_: str) -> bool:
    """Whether a step applied the result with an id, or took its stage out of service for it."""
    return step.cause in {f"result {id_}", f"quarantine result {id_}"}


def event_of(step: StepRecord, task: TaskId) -> Any:
    """Return the event by which a step ended an attempt, or recorded its result."""
    for event in step.events:
        parked = getattr(event, "parked", None)
        if parked is not None and getattr(parked, "ref", None) == str(task):
            return event
        facts = tuple(getattr(event, name, None) for name in ("stage", "visit", "attempt"))
        if event.type in _ENDS and facts == (task.stage, task.visit, task.attempt):
            return event
    return None


_ENDS: Mapping[str, Any] = {
    "STAGE_COMPLETE": "complete",
    "VALIDATION_FAILED": "invalid",
    "TASK_FAILED": "retry",
    "STAGE_HELD": "held",
}


def receipt_of(task: TaskId, token: int, step: StepRecord) -> Receipt:
    """Return what a step made of a result."""
    event = event_of(step, task)
    result = _ENDS.get(event.type, "recorded")
    outcome = getattr(event, "outcome", None)
    problems = getattr(event, "errors", ())
    return Receipt(
        task=str(task),
        token=token,
        result="invalid" if outcome == "invalid" and result == "complete" else result,
        outcome=outcome,
        problems=[dict(problem) for problem in problems],
        retry_at_ms=getattr(event, "retry_at_ms", None),
        step=step.n,
        at_ms=step.at_ms,
    )
