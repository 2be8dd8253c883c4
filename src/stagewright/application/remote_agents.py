"""The ports that a runner of agents works with, over the desk of another process.

So agents of a process that cannot open the store run as they do elsewhere, with heartbeats, notes,
deltas and artifacts. Results are decided by the server. Every call may be repeated, and is, by
whoever repeats it for a store: the runner.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import structlog

from stagewright.application.signs import AGENTS
from stagewright.application.withdrawal import CANCEL
from stagewright.domain.envelope import StageResult, parse_envelope
from stagewright.domain.errors import Conflict, NotFound, UsageError, ValidationFailed
from stagewright.domain.ids import workflow_of
from stagewright.domain.task_body import encode_task_body
from stagewright.ports.agent_desk import (
    MAX_EVENTS,
    MAX_SLOTS,
    ClaimRequest,
    Events,
    HintRequest,
    IAgentDesk,
    IAgentMeans,
    Lease,
    LeasedTask,
    PresenceRequest,
    TaskResult,
)
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.registry import Entry, Kind
from stagewright.ports.system import IIdentifiers
from stagewright.ports.task import ClaimedTask, TaskLease
from stagewright.ports.task_queue import Claim, Completed, Completion, Want

log = structlog.get_logger(__name__)

HINTS_WAIT_S = 20.0
_OF_A_NOTE = frozenset({"kind", "task", "stage", "visit", "attempt", "number", "at_ms"})


class Held:
    """The tokens of the tasks in hand."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}

    def take(self, task: str, token: int) -> None:
        """Note a lease that was given."""
        self._tokens[task] = token

    def drop(self, task: str, token: int) -> None:
        """Forget one that is over."""
        if self._tokens.get(task) == token:
            del self._tokens[task]

    def lease(self, task: str) -> Lease | None:
        """Return the lease of a task."""
        token = self._tokens.get(task)
        return None if token is None else Lease(task=task, token=token)

    def of_workflow(self, workflow_id: str) -> Lease:
        """Return any lease of a workflow's tasks; NotFound."""
        for task, token in self._tokens.items():
            if workflow_of(task) == workflow_id:
                return Lease(task=task, token=token)
        raise NotFound("lease", workflow_id)


class RemoteQueue:
    """The part of `ITaskQueue` that runners use."""

    def __init__(self, desk: IAgentDesk, ids: IIdentifiers, held: Held) -> None:
        self._desk, self._ids, self._held = desk, ids, held
        self._asked: dict[str, str] = {}
        """Ids of claims whose answers did not come: they are sent again under the same id."""

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        """Claim for each agent; an error counts only when nothing was got."""
        del now_ms
        answers = await asyncio.gather(
            *(self._want(claim, want) for want in claim.wants), return_exceptions=True
        )
        got = [task for one in answers if not isinstance(one, BaseException) for task in one]
        failed = [one for one in answers if isinstance(one, BaseException)]
        if failed and not got:
            raise failed[0]
        return got

    async def _want(self, claim: Claim, want: Want) -> list[ClaimedTask]:
        agent, _, level = want.lanes[0].partition("@")
        claim_id = self._asked.setdefault(agent, self._ids.short())
        request = ClaimRequest(
            version=level,
            slots=min(want.slots, MAX_SLOTS),
            holder=claim.holder,
            claim_id=claim_id,
            lease_s=claim.lease_s,
            present=False,
            inline_bytes=0,
        )
        claimed = await self._desk.claim(agent, request)
        del self._asked[agent]
        for task in claimed.tasks:
            self._held.take(task.task, task.token)
        return [_claimed(task) for task in claimed.tasks]

    async def extend(
        self, leases: Sequence[TaskLease], lease_s: float, now_ms: int
    ) -> Sequence[int | None]:
        """Renew leases."""
        del now_ms
        given = [Lease(task=lease.task_id, token=lease.token) for lease in leases]
        return [one.expires_at_ms for one in await self._desk.extend(given, lease_s)]

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        """Hand in results, each on its own, then claim."""
        accepted = await asyncio.gather(*map(self._finish, completions), return_exceptions=True)
        failed = [one for one in accepted if isinstance(one, BaseException)]
        if failed:
            raise failed[0]
        claimed = () if claim is None else await self.claim(claim, now_ms)
        return Completed([one is True for one in accepted], claimed)

    async def _finish(self, completion: Completion) -> bool:
        task, token = completion.task_id, completion.token
        try:
            await self._desk.finish(task, _result(parse_envelope(completion.result)))
        except (Conflict, NotFound, ValidationFailed) as error:  # no repetition would change it
            log.info("result_not_wanted", task=task, token=token, reason=str(error))
            self._held.drop(task, token)
            return False
        self._held.drop(task, token)
        return True

    async def release(
        self,
        leases: Sequence[TaskLease],
        lost: bool,  # noqa: FBT001 - as the port has it
        now_ms: int,
    ) -> Sequence[bool]:
        """Hand tasks back."""
        del lost, now_ms
        for lease in leases:
            await self._desk.release(Lease(task=lease.task_id, token=lease.token))
            self._held.drop(lease.task_id, lease.token)
        return [True] * len(leases)


class RemoteBus:
    """The part of `IMessageBus` that runners use."""

    def __init__(
        self, desk: IAgentDesk, means: IAgentMeans, held: Held, lanes: Sequence[str]
    ) -> None:
        self._desk, self._means, self._held = desk, means, held
        self._lanes = list(lanes)

    async def publish(self, topic: Topic, messages: Sequence[Message], now_ms: int) -> None:
        """Tell notes and deltas of tasks in hand; what comes after their end is dropped."""
        del now_ms
        by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for message in messages:
            body = orjson.loads(message.body)
            by_task[body["task"]].append(body)
        for task, bodies in by_task.items():
            lease = self._held.lease(task)
            for start in range(0, len(bodies) if lease is not None else 0, MAX_EVENTS):
                await self._emit(topic, task, bodies[start : start + MAX_EVENTS])

    async def _emit(self, topic: Topic, task: str, bodies: Sequence[Mapping[str, Any]]) -> None:
        lease = self._held.lease(task)
        if lease is None:
            return
        first = bodies[0]["number"] if topic is Topic.NOTES else None
        events = Events(token=lease.token, first=first, events=[_event(body) for body in bodies])
        try:
            await self._desk.emit(task, events)
        except (Conflict, NotFound, ValidationFailed) as error:
            log.info("events_not_wanted", task=task, reason=str(error))

    @asynccontextmanager
    async def subscribe(
        self, topic: Topic, workflow_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[Message]]:
        """Hear hints by long polls."""
        if topic is not Topic.WAKE or workflow_id is not None:
            raise UsageError("Agents over HTTP hear hints alone.")
        yield self._hints()

    async def _hints(self) -> AsyncIterator[Message]:
        request = HintRequest(lanes=self._lanes, wait_s=HINTS_WAIT_S)
        while True:
            heard = await self._means.hints(request)
            if heard.work:
                yield Message("", self._lanes[0].encode())
            for workflow_id in heard.withdrawn:
                yield Message(workflow_id, CANCEL)


class RemotePresence:
    """The part of `IKVStore` that runners use."""

    def __init__(self, means: IAgentMeans) -> None:
        self._means = means

    async def set(self, key: str, value: bytes, ttl_s: float | None, now_ms: int) -> None:
        """Give a sign of life."""
        del ttl_s, now_ms
        known = PresenceRequest.model_fields.keys()
        sign = {name: fact for name, fact in orjson.loads(value).items() if name in known}
        await self._means.present(key.removeprefix(AGENTS), PresenceRequest(**sign))

    async def delete(self, key: str) -> bool:
        """Say goodbye."""
        await self._means.leave(key.removeprefix(AGENTS))
        return True


class RemoteContracts:
    """The part of `IRegistry` that runners use."""

    def __init__(self, means: IAgentMeans) -> None:
        self._means = means

    async def put_if_absent(
        self, kind: Kind, name: str, version: str, hash_: str, body: bytes, now_ms: int
    ) -> Entry:
        """Register a contract; the entry says by its hash whether it is the one in force."""
        development = "+dev." in version
        try:
            view = await self._means.register_contract(orjson.loads(body), development=development)
        except Conflict:
            return Entry(kind, name, version, "", now_ms)
        return Entry(kind, name, view.version, hash_, view.registered_at_ms)


class RemoteBlobs:
    """`IBlobStore` for workflows of tasks in hand."""

    def __init__(self, means: IAgentMeans, held: Held) -> None:
        self._means, self._held = means, held

    async def put(self, workflow_id: str, body: bytes) -> str:
        """Store a body."""
        return await self._means.put_blob(self._held.of_workflow(workflow_id), body)

    async def get(self, workflow_id: str, hash_: str) -> bytes | None:
        """Return a body, None when absent."""
        try:
            return await self._means.get_blob(self._held.of_workflow(workflow_id), hash_)
        except NotFound:
            return None


class _OutOfReach:
    """What agents over HTTP have no way to; runners that do not decide need none."""

    def __getattr__(self, name: str) -> Any:
        raise UsageError(f"Agents over HTTP cannot reach the store: {name} was asked for.")


def remote_backend(
    url: str, desk: IAgentDesk, means: IAgentMeans, ids: IIdentifiers, lanes: Iterable[str]
) -> Backend:
    """Return what a runner needs of a backend, which must hand in results through its inbox."""
    held = Held()
    out_of_reach: Any = _OutOfReach()
    return Backend(
        url=url,
        partitions=1,
        bus=cast("Any", RemoteBus(desk, means, held, [*lanes])),
        kv=cast("Any", RemotePresence(means)),
        store=out_of_reach,
        tasks=cast("Any", RemoteQueue(desk, ids, held)),
        dead_letters=out_of_reach,
        registry=cast("Any", RemoteContracts(means)),
        blobs=RemoteBlobs(means, held),
        audit=out_of_reach,
    )


def _claimed(task: LeasedTask) -> ClaimedTask:
    """Return a task as runners take it."""
    feedback, repair = task.feedback, []
    if feedback and (feedback[-1]["stage"], feedback[-1]["outcome"]) == (task.stage, "invalid"):
        repair, feedback = feedback[-1]["errors"], feedback[:-1]
    body = encode_task_body(
        input_=task.input,
        feedback=feedback,
        contract=task.contract,
        definition=task.definition,
        repair=repair,
        traceparent=task.traceparent,
    )
    return ClaimedTask(
        task_id=task.task,
        token=task.token,
        lane=task.lane,
        priority=task.priority,
        body=body,
        queued_at_ms=task.queued_at_ms,
        expires_at_ms=task.expires_at_ms,
        deadline_at_ms=task.deadline_at_ms,
        lost=task.lost,
    )


def _result(envelope: StageResult) -> TaskResult:
    return TaskResult(
        token=envelope.token,
        status=envelope.status,
        outcome=envelope.outcome,
        output=envelope.value if envelope.blob is None else envelope.blob.to_json(),
        errors=[dict(error) for error in envelope.errors],
        usage=dict(envelope.usage),
    )


def _event(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a note or a delta as it is told."""
    kind = body["kind"]
    if kind == "truncated":  # the server says so itself, as this one is above its bound as well
        return {"event": "log", "message": "truncated"}
    return {"event": kind, **{k: v for k, v in body.items() if k not in _OF_A_NOTE}}
