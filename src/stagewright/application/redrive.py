"""Putting a dead letter back: an operator's word stands for the lease that the letter lacks."""

from __future__ import annotations

import orjson

from stagewright.application.inbox import Refusal, read_message, to_result
from stagewright.application.live import Live
from stagewright.application.submission import Submission
from stagewright.domain.decide import awaited_task, quarantined
from stagewright.domain.errors import AlreadyDecided, NotFound, Refused, ValidationFailed
from stagewright.domain.ids import partition_of
from stagewright.domain.stage_result import StageResult
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.system import IClock


async def redrive(
    backend: Backend, submission: Submission, clock: IClock, letter_id: str, body: bytes | None
) -> None:
    """Put a letter (edited, if `body` is given) back while its workflow waits for that very task.

    A result that its stage is quarantined on is applied at once instead: it has no lease any more.
    """
    body = await _body_of(backend, letter_id, body)
    result = _result(letter_id, body)
    live = await submission.load(result.workflow_id)
    if quarantined(live.state, result.task):
        await _apply(backend, submission, live, letter_id, result)
        return
    if awaited_task(live.state, result.task) is None:
        raise Refused(
            f"nothing waits for {result.task}",
            remedy="Edit the letter to name the attempt in flight, or discard it.",
        )
    body = await _with_current_token(backend, body, str(result.task))
    if not await backend.dead_letters.redrive(letter_id, body, clock.now_ms()):
        raise AlreadyDecided(f"{letter_id} was redriven or discarded before")


async def _body_of(backend: Backend, letter_id: str, body: bytes | None) -> bytes:
    try:
        known = partition_of(letter_id) < backend.partitions
    except ValueError:
        known = False
    letter = await backend.dead_letters.read(letter_id) if known else None
    if letter is None:
        raise NotFound("dead letter", letter_id)
    return letter.body if body is None else body


def _result(letter_id: str, body: bytes) -> StageResult:
    item = read_message(InboxMessage(partition_of(letter_id), "", body))
    if isinstance(item, Refusal):
        raise ValidationFailed(item.reason)
    if item.result is None:
        raise ValidationFailed(item.broken)
    return item.result


async def _apply(
    backend: Backend, submission: Submission, live: Live, letter_id: str, result: StageResult
) -> None:
    message = to_result(result, live.compiled)
    if isinstance(message, str):
        raise ValidationFailed(message)
    await submission.tell(live, message, f"redrive {letter_id}")
    await backend.dead_letters.discard(letter_id)


async def _with_current_token(backend: Backend, body: bytes, task_id: str) -> bytes:
    (records,) = await backend.tasks.inspect([task_id.partition("/")[0]])
    token = next((r.token for r in records if r.task_id == task_id), 0)
    if not token:
        raise Refused(f"no agent has claimed {task_id} yet", remedy="Let an agent do it first.")
    envelope = orjson.loads(body)
    envelope["leasetoken"] = token
    return orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)
