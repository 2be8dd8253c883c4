"""From a result that came over HTTP to the receipt for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stagewright.application.desk_contracts import Promise, Promises
from stagewright.application.desk_leases import Leases, holds
from stagewright.application.desk_results import Deciding, is_of, read_result, receipt_of
from stagewright.application.desk_tasks import Bodies
from stagewright.domain.bounded_json import MAX_INLINE_BYTES, canonical
from stagewright.domain.definition import AgentStage
from stagewright.domain.envelope import BlobRef, StageResult
from stagewright.domain.ids import TaskId
from stagewright.ports.agent_desk import Receipt, ResultDiffers, TaskResult
from stagewright.ports.blob_store import IBlobStore
from stagewright.ports.system import IClock
from stagewright.ports.task import TaskRecord

_NOTHING: Mapping[str, float] = MappingProxyType({})


class Finishing:
    """Checks results as a runner does, has them decided, and reads what came of them."""

    def __init__(
        self,
        leases: Leases,
        promises: Promises,
        bodies: Bodies,
        deciding: Deciding,
        blobs: IBlobStore,
        clock: IClock,
    ) -> None:
        self._leases, self._promises, self._bodies = leases, promises, bodies
        self._deciding, self._blobs, self._clock = deciding, blobs, clock

    async def finish(self, task: TaskId, result: TaskResult) -> Receipt:
        """Apply a result; LeaseLost, ResultDiffers."""
        record = await self._leases.record(task)
        if record is None or not holds(record, result.token):
            return await self._again(task, result, record)
        promise = await self._promises.of(await self._contract(task), record.lane)
        source = f"agent/{record.lane.partition('@')[0]}/{record.holder}"
        measured = _measured(record, self._clock.now_ms())
        return await self.apply(task, result, promise, source, measured)

    async def _contract(self, task: TaskId) -> str | None:
        """Return the hash of the contract that the definition names for a stage's agent."""
        live = await self._leases.live(task)
        stage = live.compiled.plan.stages[task.stage].stage
        agent = stage.agent.partition("@")[0] if isinstance(stage, AgentStage) else ""
        contract = live.compiled.plan.definition.contracts.get(agent)
        return None if contract is None else contract.hash

    async def apply(
        self,
        task: TaskId,
        result: TaskResult,
        promise: Promise | None,
        source: str,
        measured: Mapping[str, float] = _NOTHING,
    ) -> Receipt:
        """Apply a result of a lease that seems to be held: the commit proves it."""
        envelope = read_result(task, result, source, self._clock.now_ms())
        checked = await self._checked(task, envelope, promise)
        await self._deciding.decide(checked._replace(usage={**measured, **checked.usage}))
        return await self._again(task, result, None)

    async def _checked(
        self, task: TaskId, result: StageResult, promise: Promise | None
    ) -> StageResult:
        """Return a result whose output fits its contract and travels well, or a failure."""
        if result.status == "failure":
            return result
        value, body = result.value, b""
        if result.blob is not None:
            value = await self._bodies.value(str(task), result.blob)
        else:
            body = canonical(value)
        problems = () if promise is None else promise.output_problems(value, result.outcome)
        if problems:
            return result._replace(
                status="failure", outcome=None, value=None, blob=None, errors=tuple(problems)
            )
        if len(body) <= MAX_INLINE_BYTES:
            return result
        hash_ = await self._blobs.put(task.workflow_id, body)
        return result._replace(value=None, blob=BlobRef(hash_, len(body)))

    async def _again(self, task: TaskId, result: TaskResult, record: TaskRecord | None) -> Receipt:
        """Answer by what the log says: as before to the very same result, and refuse any other."""
        step = await self._leases.step(task)
        if step is None or not step.cause.startswith(("result ", "quarantine result ")):
            record = record or await self._leases.record(task)
            raise await self._leases.why_lost(task, result.token, record)
        envelope = read_result(task, result, "again", self._clock.now_ms())
        if not is_of(step, envelope.envelope_id):
            raise ResultDiffers(str(task), result.token, step.at_ms)
        return receipt_of(task, result.token, step)


def _measured(record: TaskRecord, now_ms: int) -> dict[str, float]:
    """What runners of ours measure themselves."""
    claimed_at_ms = record.claimed_at_ms or record.queued_at_ms
    return {
        "duration_ms": max(now_ms - claimed_at_ms, 0),
        "queued_ms": max(claimed_at_ms - record.queued_at_ms, 0),
    }
