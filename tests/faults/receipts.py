"""Clerks that give commands and hand in results, and keep a receipt of all that was confirmed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from stagewright.adapters.system.clock import SystemClock
from stagewright.adapters.system.identifiers import SystemIdentifiers
from stagewright.adapters.system.randomness import SystemRandom
from stagewright.application.batch import BatchProcessor
from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.live import LiveWorkflows
from stagewright.application.replay import replay_report
from stagewright.application.runner_handover import BySteps, ThroughInbox
from stagewright.domain.definition import Definition
from stagewright.domain.envelope import StageResult, rfc3339
from stagewright.domain.ids import TaskId
from stagewright.ports.backend import Backend
from stagewright.ports.control import CommandRequest, StartRequest
from stagewright.ports.task_queue import Claim, Want
from stagewright.ports.workflow_store import Stored

CLERKS = 16
COMMANDS = 1_000
PER_WORKFLOW = 4
REPLAYED = 5
"""So many workflows are also replayed after each cut: a step is there as a whole or not at all."""


def definition(clerk: int) -> Definition:
    """Each clerk has agents of its own, so that nobody's step loses a race and is refused first."""
    stages = [{"name": name, "agent": f"worker{clerk}"} for name in ("first", "second")]
    return Definition.model_validate({"name": f"kept{clerk}", "stages": stages})


@dataclass(frozen=True, slots=True)
class Receipt:
    """Something that was confirmed. The token stands in the store wherever that thing is kept."""

    token: str
    workflow_id: str


class Office:
    """Many clerks at once, so that what they ask for shares calls, groups and syncs."""

    def __init__(self, backend: Backend, told: Callable[[str], None]) -> None:
        self.receipts: list[Receipt] = []
        self.results = 0
        self._backend, self._told = backend, told
        self._clock, self._ids, randomness = SystemClock(), SystemIdentifiers(), SystemRandom()
        self._catalog = Catalog(backend.registry, self._clock)
        parts = (self._clock, self._ids, randomness)
        self._commands = Commands(backend, self._catalog, *parts)
        inbox = ThroughInbox(backend.tasks, self._clock)
        lives = LiveWorkflows(backend.store, self._catalog)
        self._ways = (inbox, BySteps(lives, BatchProcessor(backend, lives, *parts), inbox))

    async def work(self, commands: int = COMMANDS) -> None:
        """Give so many commands, and hand in a result for each workflow they start."""
        for clerk in range(CLERKS):
            await self._catalog.register(definition(clerk), [])
        numbers = iter(range(commands // PER_WORKFLOW))
        async with anyio.create_task_group() as group:
            for clerk in range(CLERKS):
                group.start_soon(self._serve, clerk, numbers)

    async def _serve(self, clerk: int, numbers: Iterable[int]) -> None:
        for number in numbers:
            request = StartRequest(definition=f"kept{clerk}", input={"n": number})
            started = await self._commands.start(request)
            self._confirmed(started.workflow_id.partition("-")[2], started.workflow_id)
            for kind in ("pause", "resume", "signal"):
                await self._tell(started.workflow_id, kind)
            await self._hand_in(clerk, number)

    async def _tell(self, workflow_id: str, kind: Any) -> None:
        token = self._ids.uuid7()
        name = "noticed" if kind == "signal" else None
        request = CommandRequest(kind=kind, command_id=token, name=name)
        await self._commands.command(workflow_id, request)
        self._confirmed(token, workflow_id)

    async def _hand_in(self, clerk: int, number: int) -> None:
        """Claim a task and hand in a result, by turns through the inbox and by deciding it."""
        claim = Claim("clerk", (Want((f"worker{clerk}@1.0",), 1),), 600.0)
        claimed = await self._backend.tasks.claim(claim, self._clock.now_ms())
        for task in claimed:
            token, id_ = uuid.uuid4().hex, TaskId.parse(task.task_id)
            result = StageResult(
                envelope_id=self._ids.uuid7(),
                source="clerk",
                time=rfc3339(self._clock.now_ms()),
                task=id_,
                token=task.token,
                status="success",
                value={"proof": token},
            )
            await self._ways[number % 2].hand_in([result], None)
            self.results += 1
            self._confirmed(token, id_.workflow_id)

    def _confirmed(self, token: str, workflow_id: str) -> None:
        self.receipts.append(Receipt(token, workflow_id))
        self._told(token)


async def missing(backend: Backend, receipts: Sequence[Receipt]) -> list[str]:
    """Say what was confirmed and is not there, and which workflows do not replay."""
    ids = sorted({receipt.workflow_id for receipt in receipts})
    everything = dict.fromkeys(range(backend.partitions), "")
    received = await backend.bus.receive(everything, 100_000, 0.0, 0, 10**6)
    inbox = b"".join(message.body for message in received.messages)
    held = dict.fromkeys(ids, inbox)
    for stored in await backend.store.load(ids):
        if isinstance(stored, Stored):
            parts = (stored.workflow_id.encode(), stored.snapshot, *stored.outputs.values())
            held[stored.workflow_id] += b"\n".join(parts)
    lost = [
        f"{r.token} of {r.workflow_id}"
        for r in receipts
        if r.token.encode() not in held[r.workflow_id]
    ]
    for id_ in ids[-REPLAYED:]:
        report = await replay_report(backend, id_)
        if not report.equal:
            lost.append(f"{id_} does not replay: {report.difference}")
    return lost
