"""Does one task: reads its input, calls the agent, checks and bounds what it returned."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import orjson
import structlog

from stagewright.application.agent_shapes import Mismatch
from stagewright.application.agents import Agent, AgentError, Labelled
from stagewright.application.context import AgentContext, Channels
from stagewright.application.context_facts import Feedback
from stagewright.application.notes import printable
from stagewright.application.patience import patiently
from stagewright.application.runner_run import Run
from stagewright.domain.bounded_json import canonical
from stagewright.domain.envelope import BlobRef, StageResult, blob_ref, rfc3339
from stagewright.domain.errors import ValidationFailed
from stagewright.domain.records import Record
from stagewright.domain.stage_result import BLOB_KEY, MAX_TEXT
from stagewright.domain.task_body import TaskBody, TaskBodyInvalid, parse_task_body

log = structlog.get_logger(__name__)

Problem = Mapping[str, Any]
MAX_MESSAGE = 2_000
MAX_DETAILS_BYTES = 16 * 1024


class Failed(Exception):
    """The attempt ends as a failure with these errors; never leaves this module."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(self.errors)} error(s)")


class Output(Record, frozen=True):
    """What an agent made, ready for the wire."""

    value: Any = None
    """None also when it is a blob."""
    body: bytes | None = None
    """The value as canonical JSON."""
    blob: BlobRef | None = None
    label: str | None = None


class Work:
    """Does tasks, one at a time each, any number at once."""

    def __init__(self, channels: Channels, threads: int, inline_bytes: int) -> None:
        self._channels = channels
        self._limiter = anyio.CapacityLimiter(max(threads, 1))
        self._inline_bytes = inline_bytes

    async def perform(self, run: Run) -> StageResult:
        """Return what became of the attempt."""
        traceparent = None
        output, errors = Output(), tuple[Problem, ...]()
        try:
            body = self._body(run)
            traceparent = body.traceparent
            output = await self._attempt(run, body)
        except Failed as failed:
            errors = failed.errors
        except Exception as error:
            log.exception("runner_failed")
            errors = (problem(type(error).__name__, str(error)),)
        if run.context is not None:
            await run.context.close()
        return self._result(run, output, errors, traceparent)

    def _body(self, run: Run) -> TaskBody:
        try:
            body = parse_task_body(run.claimed.body)
        except TaskBodyInvalid as error:
            raise Failed([problem("task_invalid", str(error))]) from None
        structlog.contextvars.bind_contextvars(
            workflow=run.task.workflow_id,
            stage=run.task.stage,
            task=run.claimed.task_id,
            attempt=run.task.attempt,
            trace=body.traceparent,
        )
        return body

    async def _attempt(self, run: Run, body: TaskBody) -> Output:
        agent, blob = run.served.agent, body.blob
        written = bytes(body.input) if blob is None else await self._fetch(run, blob)
        try:
            given = agent.takes.read(written)
        except Mismatch as mismatch:
            raise Failed(_problems("input_invalid", mismatch.problems)) from None
        feedback = await self._feedback(run, body) if body.feedback or body.repair else ()
        run.context = AgentContext(self._channels, run.task, given, feedback, body.traceparent)
        log.debug("task_started", agent=agent.name, token=run.claimed.token)
        try:
            returned = await self._call(agent, given, run.context)
        except Exception as error:  # noqa: BLE001  # whatever an agent raises is its failure
            raise Failed([_of_exception(error)]) from None
        except SystemExit as error:
            raise Failed([problem("SystemExit", f"the agent exited with {error.code}")]) from None
        except asyncio.CancelledError:
            if run.refused is not None:
                raise
            raise Failed([problem("CancelledError", "the agent cancelled itself")]) from None
        return await self._output(run, returned)

    async def _call(self, agent: Agent[..., Any], given: Any, context: AgentContext) -> Any:
        if agent.is_async:
            if agent.takes_context:
                return await agent.function(given, context)
            return await agent.function(given)
        arguments = (given, context.sync) if agent.takes_context else (given,)
        call = partial(agent.function, *arguments)
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._limiter)

    async def _fetch(self, run: Run, blob: BlobRef) -> bytes:
        get = partial(self._channels.blobs.get, run.task.workflow_id, blob.hash)
        body = await patiently(self._channels.clock, "reading a payload", get)
        if body is None:
            raise Failed([problem("blob_missing", f"payload {blob.hash} is not in the blob store")])
        return body

    async def _feedback(self, run: Run, body: TaskBody) -> tuple[Feedback, ...]:
        """Earlier rounds, with big outputs fetched; last, what the contract was broken by."""
        rounds = []
        for said in body.feedback:
            output = said.get("output")
            blob = blob_ref(output)
            rounds.append(
                Feedback(
                    stage=str(said.get("stage", "")),
                    visit=int(said.get("visit", 0)),
                    outcome=said.get("outcome"),
                    errors=tuple(said.get("errors") or ()),
                    output=output if blob is None else orjson.loads(await self._fetch(run, blob)),
                )
            )
        if body.repair:
            rounds.append(Feedback(run.task.stage, run.task.visit, "invalid", body.repair, None))
        return tuple(rounds)

    async def _output(self, run: Run, returned: Any) -> Output:
        label = None
        if isinstance(returned, Labelled):
            label, returned = returned.label, returned.value
        value, body = _written(run, returned, label)
        if len(body) <= self._inline_bytes:
            return Output(value, body, label=label)
        put = partial(self._channels.blobs.put, run.task.workflow_id, body)
        hash_ = await patiently(self._channels.clock, "storing an output", put)
        return Output(blob=BlobRef(hash_, len(body)), label=label)

    def _result(
        self, run: Run, output: Output, errors: tuple[Problem, ...], traceparent: str | None
    ) -> StageResult:
        now_ms = self._channels.clock.now_ms()
        duration_ms = max(now_ms - run.started_at_ms, 0)
        queued_ms = max(run.started_at_ms - run.claimed.queued_at_ms, 0)
        used = run.context.usage if run.context is not None else {}
        run.served.duration.observe(duration_ms)
        log.debug("task_ended", failed=bool(errors), duration_ms=duration_ms)
        return StageResult(
            envelope_id=self._channels.ids.uuid7(),
            source=run.served.source,
            time=rfc3339(now_ms),
            task=run.task,
            token=run.claimed.token,
            status="failure" if errors else "success",
            outcome=output.label,
            value=output.value,
            blob=output.blob,
            errors=errors,
            usage={**used, "duration_ms": duration_ms, "queued_ms": queued_ms},
            traceparent=traceparent,
            written=output.body,
        )


def _written(run: Run, returned: Any, label: str | None) -> tuple[Any, bytes]:
    """Return the output as value and canonical JSON, or fail with how it breaks the contract."""
    if label is not None and label not in run.served.labels:
        known = ", ".join(sorted(run.served.labels))
        message = f"the label {label!r} is not declared; expected one of {known}"
        raise Failed(_problems("contract_violation", [{"path": "outcome", "message": message}]))
    try:
        value = run.served.agent.gives.write(returned)
        body = canonical(value)
    except Mismatch as mismatch:
        raise Failed(_problems("contract_violation", mismatch.problems)) from None
    except ValidationFailed as error:
        found = [{"path": "", "message": error.message}]
        raise Failed(_problems("contract_violation", found)) from None
    if type(value) is dict and BLOB_KEY in value:
        found = [{"path": BLOB_KEY, "message": "this key is reserved for references"}]
        raise Failed(_problems("contract_violation", found))
    return value, body


def problem(type_: str, message: str, **facts: Any) -> Problem:
    """Return one error of a result, within bounds."""
    text = printable(message)
    return {"type": printable(type_)[:MAX_TEXT] or "error", "message": text[:MAX_MESSAGE], **facts}


def _problems(type_: str, found: Iterable[Problem]) -> list[Problem]:
    return [problem(type_, str(row["message"]), path=str(row["path"])) for row in found]


def _of_exception(error: Exception) -> Problem:
    """Say what was raised; the traceback goes to the log alone."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if not isinstance(error, AgentError):
        log.warning("agent_raised", error_type=type(error).__name__, exc_info=error)
        return problem(type(error).__name__, str(error))
    log.info("agent_failed", error_type=error.type)
    facts = {"final": True} if error.final else {}
    return problem(error.type, error.message, **_details(error), **facts)


def _details(error: AgentError) -> Mapping[str, Any]:
    """What the agent added, unless it cannot travel."""
    try:
        fits = len(canonical(error.details)) <= MAX_DETAILS_BYTES
    except ValidationFailed:
        fits = False
    reserved = {"type", "message", "final"}
    return {k: v for k, v in error.details.items() if k not in reserved} if fits else {}
