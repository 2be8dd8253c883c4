"""A memory backend with everything that orchestrates over it, driven by hand in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from stagewright.adapters.memory import open_backend
from stagewright.application.batch import BatchProcessor
from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.inbox import MAX_ENVELOPE_BYTES, Refusal, Work, read_message
from stagewright.application.live import LiveWorkflows
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.application.queries import Queries
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Definition
from stagewright.domain.envelope import StageResult, encode_result, rfc3339
from stagewright.domain.ids import TaskId
from stagewright.domain.snapshot import decode_state
from stagewright.domain.workflow import WorkflowState
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.control import CommandReply, CommandRequest, Started, StartRequest
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.message_bus import InboxMessage, Message, Received, Topic
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord
from stagewright.ports.task_queue import Claim, Completion, Want
from stagewright.ports.workflow_store import Stored
from stagewright.testing.clock import VirtualClock, settle
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom
from tests.unit.domain.kernel import agent, define

PARTITIONS = 2
LEASE_S = 30.0
LATER_S = 10 * 86_400.0


@dataclass
class World:
    """What a test sees of an installation."""

    backend: Backend
    clock: VirtualClock
    ids: SeededIdentifiers
    randomness: SeededRandom = field(default_factory=SeededRandom)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Go on as processes do that were started anew over the same store."""
        self.catalog = Catalog(self.backend.registry, self.clock)
        self.lives = LiveWorkflows(self.backend.store, self.catalog)
        parts = (self.clock, self.ids, self.randomness)
        self.processor = BatchProcessor(self.backend, self.lives, *parts)
        self.commands = Commands(self.backend, self.catalog, *parts)
        self.queries = Queries(self.backend, self.catalog, self.clock)

    def with_ports(self, **ports: Any) -> World:
        """The same world in which some ports are others."""
        return World(replace(self.backend, **ports), self.clock, self.ids, self.randomness)

    def orchestrator(self, holder: str = "one", **options: Any) -> Orchestrator:
        parts = (self.catalog, self.clock, self.ids, self.randomness)
        chosen = OrchestratorOptions(**options)
        return Orchestrator(self.backend, *parts, options=chosen, holder=holder)

    # --- definitions and workflows ------------------------------------------------------------

    async def register(
        self, *stages: dict[str, Any], contracts: Sequence[Contract] = (), **fields: Any
    ) -> Definition:
        definition = define(*(stages or (agent("build"), agent("check"))), **fields)
        await self.catalog.register(definition, contracts)
        return definition

    async def start(self, value: Any = None, **fields: Any) -> str:
        return (await self.started(value, **fields)).workflow_id

    async def started(self, value: Any = None, **fields: Any) -> Started:
        request = StartRequest(**{"definition": "job", "input": value, **fields})
        return await self.commands.start(request)

    async def command(self, workflow_id: str, kind: str, **fields: Any) -> CommandReply:
        request = CommandRequest.model_validate({"kind": kind, "by": "ann", **fields})
        return await self.commands.command(workflow_id, request)

    async def stored(self, workflow_id: str) -> Stored:
        (found,) = await self.backend.store.load([workflow_id])
        assert isinstance(found, Stored)
        return found

    async def state(self, workflow_id: str) -> WorkflowState:
        return decode_state((await self.stored(workflow_id)).snapshot)

    # --- agents -------------------------------------------------------------------------------

    async def claim(self, *agents: str, slots: int = 100) -> list[ClaimedTask]:
        lanes = tuple(f"{name}@1.0" for name in (agents or ("build", "check")))
        wish = Claim("worker-1", (Want(lanes, slots),), LEASE_S)
        return list(await self.backend.tasks.claim(wish, self.clock.now_ms()))

    async def complete(self, task: ClaimedTask, value: Any = None, **fields: Any) -> bool:
        """Hand in a result as a runner does; whether it was accepted."""
        body = self.envelope(task, value, **fields)
        completion = Completion(task.task_id, task.token, body)
        done = await self.backend.tasks.complete([completion], None, self.clock.now_ms())
        return done.accepted[0]

    def envelope(self, task: ClaimedTask, value: Any = None, **fields: Any) -> bytes:
        given = {"envelope_id": self.ids.uuid7(), "time": rfc3339(self.clock.now_ms())}
        return envelope(task, value, **(given | fields))

    async def done(self, name: str, value: Any = None, **fields: Any) -> ClaimedTask:
        """Let an agent do its one task; the result lies in the inbox."""
        (task,) = await self.claim(name)
        assert await self.complete(task, value, **fields)
        return task

    async def fails(self, name: str, kind: str = "error") -> ClaimedTask:
        errors = ({"type": kind, "message": f"{name} broke"},)
        return await self.done(name, status="failure", errors=errors)

    async def publish(self, workflow_id: str, body: bytes) -> None:
        """Write straight into the inbox, as strangers do."""
        await self.backend.bus.publish(
            Topic.INBOX, [Message(workflow_id, body)], self.clock.now_ms()
        )

    # --- what waits ---------------------------------------------------------------------------

    async def received(self, later_s: float = 0.0) -> Received:
        """What waits now, or would wait later."""
        everything = dict.fromkeys(range(self.backend.partitions), "")
        now_ms = self.clock.now_ms() + round(later_s * 1_000)
        return await self.backend.bus.receive(everything, 1_000, 0.0, now_ms, MAX_ENVELOPE_BYTES)

    async def inbox(self) -> Sequence[InboxMessage]:
        return (await self.received()).messages

    async def read(self) -> list[Work]:
        """The messages that wait, parsed; none of them may be broken."""
        found = [read_message(message) for message in await self.inbox()]
        assert not any(isinstance(item, Refusal) for item in found)
        return [item for item in found if isinstance(item, Work)]

    async def apply(self) -> None:
        """Apply all that waits, as the owner of every partition."""
        await self.processor.process(await self.read())

    async def does(self, name: str, value: Any = None, **fields: Any) -> None:
        """Let an agent do its one task, and apply the result."""
        await self.done(name, value, **fields)
        await self.apply()

    async def letters(self) -> Sequence[DeadLetter]:
        return await self.backend.dead_letters.list()

    async def reasons(self) -> list[str]:
        return [letter.reason for letter in await self.letters()]

    async def records(self, workflow_id: str) -> Sequence[TaskRecord]:
        (found,) = await self.backend.tasks.inspect([workflow_id])
        return found

    async def tasks(self, workflow_id: str) -> dict[str, str]:
        """Task records: id without the workflow's in front, to state."""
        return {
            record.task_id.partition("/")[2]: record.state
            for record in await self.records(workflow_id)
        }

    async def timers(self) -> list[str]:
        """Ids of the timers that are set."""
        return sorted(timer.timer_id for timer in (await self.received(LATER_S)).timers)

    async def lose_record(self, workflow_id: str) -> None:
        """Remove the workflow's task records behind the back of everybody."""
        state: Any = self.backend.tasks
        for record in await self.records(workflow_id):
            task = state._state.tasks.pop(record.task_id)
            state._state.withdraw(task)
            del state._state.workflows[workflow_id].tasks[record.task_id]

    async def lose_lease(self, task: ClaimedTask) -> None:
        """Let a lease run out and be put back."""
        lease = TaskLease(task.task_id, task.token)
        await self.backend.tasks.release([lease], lost=True, now_ms=self.clock.now_ms())


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    """Open a world over an empty store."""
    clock = VirtualClock()
    options = BackendOptions(partitions=PARTITIONS)
    async with open_backend("memory://", options, clock) as backend:
        yield World(backend, clock, SeededIdentifiers(7, clock))


@asynccontextmanager
async def running(*orchestrators: Orchestrator) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run orchestrators until the block ends. Time stands still unless it is advanced."""
    tasks = [asyncio.create_task(each.run()) for each in orchestrators]
    await settle()
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def envelope(task: ClaimedTask, value: Any = None, **fields: Any) -> bytes:
    """A result of a claimed task."""
    given: dict[str, Any] = {
        "envelope_id": "0" * 32,
        "source": "worker-1",
        "time": rfc3339(0),
        "task": TaskId.parse(task.task_id),
        "token": task.token,
        "status": "success",
        "value": value,
    }
    return encode_result(StageResult(**(given | fields)))


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
