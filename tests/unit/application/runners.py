"""A memory backend, a virtual clock and some tasks for the tests of the agent runner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from stagewright.adapters.memory import open_backend
from stagewright.application.agents import Agent
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.runner_presence import Identity
from stagewright.domain.envelope import StageResult, parse_envelope
from stagewright.domain.errors import Unreachable
from stagewright.domain.records import but
from stagewright.domain.task_body import encode_task_body
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task import ClaimedTask, TaskLease
from stagewright.ports.task_queue import Claim, Completed, Completion
from stagewright.testing.clock import VirtualClock, settle
from stagewright.testing.contracts import samples
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom

WORKFLOW = samples.workflow(1)


@dataclass
class Calls:
    """A task queue that remembers how it was called, and fails when told to."""

    queue: Any
    completes: list[tuple[Sequence[Completion], Claim | None]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    extends: list[Sequence[TaskLease]] = field(default_factory=list)
    releases: list[tuple[Sequence[TaskLease], bool]] = field(default_factory=list)
    failures: int = 0
    refuse: bool = False
    gate: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.queue, name)

    async def _pass(self) -> None:
        if self.failures:
            self.failures -= 1
            raise Unreachable("queue")

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        await self._pass()
        self.claims.append(claim)
        found = await self.queue.claim(claim, now_ms)
        if self.gate is not None:
            await self.gate.wait()
        return found  # type: ignore[no-any-return]

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        await self._pass()
        self.completes.append((completions, claim))
        return await self.queue.complete(completions, claim, now_ms)  # type: ignore[no-any-return]

    async def extend(
        self, leases: Sequence[TaskLease], lease_s: float, now_ms: int
    ) -> Sequence[int | None]:
        await self._pass()
        self.extends.append(leases)
        if self.refuse:
            return [None] * len(leases)
        return await self.queue.extend(leases, lease_s, now_ms)  # type: ignore[no-any-return]

    async def release(self, leases: Sequence[TaskLease], lost: bool, now_ms: int) -> Sequence[bool]:
        await self._pass()
        self.releases.append((leases, lost))
        return await self.queue.release(leases, lost, now_ms)  # type: ignore[no-any-return]


@dataclass
class World:
    """Everything around a runner."""

    backend: Backend
    clock: VirtualClock
    calls: Calls
    ids: SeededIdentifiers
    positions: dict[int, str]

    async def queue(
        self, *inputs: Any, workflow: str = WORKFLOW, lane: str = "build@1.0", **changes: Any
    ) -> None:
        """Start a workflow per input (the ids count up from `workflow`), each with one task."""
        tasks = []
        first = int(workflow[-32:], 16)
        for number, value in enumerate(inputs, first):
            task_changes = {"timeout_s": 60.0, "priority": 2} | changes
            body = task_changes.pop("body", None) or body_of(value, task_changes)
            task = samples.task(samples.workflow(number), lane=lane, body=body)
            tasks.append(but(task, **task_changes))
        await samples.queued(self.backend, self.clock, *tasks)

    def runner(self, *agents: Agent[..., Any], limit: int = 10, **changes: Any) -> AgentRunner:
        heartbeat_backend = changes.pop("heartbeat_backend", None)
        return AgentRunner(
            self.backend,
            dict.fromkeys(agents, limit),
            self.clock,
            self.ids,
            SeededRandom(),
            options=RunnerOptions(**changes),
            identity=Identity("runner-1", "host", 42),
            heartbeat_backend=heartbeat_backend,
        )

    async def results(self, count: int = 1) -> list[StageResult]:
        """Wait for so many more results, while the clock stands still."""
        found: list[StageResult] = []
        while len(found) < count:
            received = await at_once(
                self.backend.bus.receive(self.positions, 1_000, 60.0, self.clock.now_ms(), 10**6)
            )
            for message in received.messages:
                self.positions[message.partition] = message.position
                found.append(parse_envelope(message.body))
        return found

    async def result(self) -> StageResult:
        """Wait for one result."""
        (only,) = await self.results()
        return only

    async def pending(self) -> int:
        """How many results lie in the inbox unread."""
        received = await self.backend.bus.receive(
            self.positions, 1_000, 0.0, self.clock.now_ms(), 10**6
        )
        return len(received.messages)

    async def notes(self, workflow: str = WORKFLOW) -> list[dict[str, Any]]:
        """The notes of a workflow."""
        return [orjson.loads(b) for b in await self.backend.store.log(workflow, "notes")]

    async def state(self, workflow: str = WORKFLOW) -> str:
        """The state of a workflow's only task."""
        (record,) = await samples.inspected(self.backend, workflow)
        return record.state

    async def wake(self, body: bytes, workflow: str = WORKFLOW) -> None:
        """Publish a hint."""
        message = Message(workflow, body)
        await self.backend.bus.publish(Topic.WAKE, [message], self.clock.now_ms())
        await settle()


def body_of(value: Any, fields: dict[str, Any]) -> bytes:
    """The body of a task; takes `feedback`, `repair` and `traceparent` out of the fields."""
    return encode_task_body(
        input_=value,
        feedback=fields.pop("feedback", []),
        contract=None,
        definition="delivery@1.0.0",
        repair=fields.pop("repair", []),
        traceparent=fields.pop("traceparent", None),
    )


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    """Open a world; its clock stands still."""
    clock = VirtualClock()
    async with open_backend("memory://", BackendOptions(), clock) as backend:
        calls = Calls(backend.tasks)
        positions = dict.fromkeys(range(backend.partitions), "")
        watched = replace(backend, tasks=calls)
        yield World(watched, clock, calls, SeededIdentifiers(), positions)


def errors_of(result: StageResult) -> Iterable[tuple[str, str]]:
    """Type and path (or message) of each error."""
    return [(e["type"], e.get("path", e["message"])) for e in result.errors]
