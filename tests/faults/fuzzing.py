"""An orchestrator whose inboxes strangers fill, and what becomes of every single message."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from stagewright.adapters.system.clock import SystemClock
from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.domain.definition import Definition
from stagewright.domain.envelope import StageResult, encode_result, rfc3339
from stagewright.domain.ids import TaskId
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.control import StartRequest
from stagewright.ports.message_bus import InboxMessage, Message, Topic
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Claim, Want
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom
from tests.faults.mutations import Mutator

WORKFLOWS = 40
"""So many wait for results at any time, each with a task that is held under a valid token."""
CHUNK = 250
"""So many messages stand in the inboxes at once."""
PATIENCE_S = 120.0
CRASHES = {"duty_failed", "undecidable"}
JOB = Definition.model_validate(
    {
        "name": "fuzzed",
        "stages": [
            {"name": "one", "agent": "a", "retry": {"attempts": 5, "delay_s": 3_600}},
            {"name": "two", "agent": "b"},
        ],
    }
)


@dataclass
class Ledger:
    """What became of messages, seen at the ports and in the log lines."""

    fates: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def ended(self, how: str) -> None:
        """One message more is gone."""
        self.fates[how] += 1
        self._more.set()

    async def reached(self, count: int) -> None:
        """Wait until so many are gone."""
        while self.fates.total() < count:
            self._more.clear()
            await self._more.wait()

    def line(self, _: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """See a log line; nothing is written."""
        name = event["event"]
        if name in CRASHES or level in {"error", "critical"}:
            self.problems.append(f"{event}")
        if name == "ignored" and not event["why"]:
            self.problems.append(f"no reason: {event}")
        raise structlog.DropEvent

    def watched(self, backend: Backend) -> Backend:
        """Return the backend with a look at all that takes messages away."""
        bus: Any = _Bus(self, backend.bus)
        store: Any = _Store(self, backend.store)
        return replace(backend, bus=bus, store=store)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """See all log lines."""
        before = structlog.get_config()
        structlog.configure(processors=[self.line], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**before)


class _Bus:
    def __init__(self, ledger: Ledger, bus: Any) -> None:
        self._ledger, self._bus = ledger, bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def reject(self, message: InboxMessage, reason: str, now_ms: int) -> None:
        if not reason:
            self._ledger.problems.append(f"rejected without a reason: {message.body[:200]!r}")
        await self._bus.reject(message, reason, now_ms)
        self._ledger.ended("dead letter")

    async def acknowledge(self, messages: Sequence[InboxMessage]) -> None:
        await self._bus.acknowledge(messages)
        for _ in messages:
            self._ledger.ended("ignored")


class _Store:
    def __init__(self, ledger: Ledger, store: Any) -> None:
        self._ledger, self._store = ledger, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        verdicts: Sequence[Verdict] = await self._store.commit(commits, now_ms)
        for commit, verdict in zip(commits, verdicts, strict=True):
            if verdict is Verdict.COMMITTED:
                self._note(commit)
        return verdicts

    def _note(self, commit: Commit) -> None:
        letters = len(commit.dead_letters)
        for place in range(len(commit.consumed)):
            self._ledger.ended("dead letter" if place < letters else "applied")
        self._ledger.problems += [
            f"no reason: {letter.body[:200]!r}"
            for letter in commit.dead_letters
            if not letter.reason
        ]


class Pauses:
    """How long the event loop's thread worked without a pause, at most: its own time, not others'.

    The time of the processor, because on a machine that is shared the time of day says little.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last_s = 0.0

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        loop = asyncio.get_running_loop()
        self._last_s, over = time.thread_time(), False

        def look() -> None:
            now_s = time.thread_time()
            self.longest_s = max(self.longest_s, now_s - self._last_s)
            self._last_s = now_s
            if not over:
                loop.call_later(0.001, look)

        loop.call_soon(look)
        try:
            yield
        finally:
            over = True


class Target:
    """A backend with an orchestrator at work, and tasks that somebody holds."""

    def __init__(self, backend: Backend, seed: int) -> None:
        self.ledger, self.mutator = Ledger(), Mutator(seed)
        self.backend, self.clock = backend, SystemClock()
        self.ids, self.randomness = SeededIdentifiers(seed, self.clock), SeededRandom(seed)
        self.catalog = Catalog(backend.registry, self.clock)
        self._parts = (self.clock, self.ids, self.randomness)
        self.held: list[ClaimedTask] = []
        self.sent = 0

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Let an orchestrator work; that it ends by itself is a crash."""
        await self.catalog.register(JOB, [])
        options = OrchestratorOptions(wait_s=0.2)
        watched = self.ledger.watched(self.backend)
        orchestrator = Orchestrator(watched, self.catalog, *self._parts, options=options)
        with self.ledger.listening():
            running = asyncio.create_task(orchestrator.run())
            try:
                yield
            finally:
                if running.done():
                    self.ledger.problems.append(f"the orchestrator ended: {running.exception()!r}")
                else:
                    orchestrator.stop()
                    await running

    async def hold(self) -> None:
        """See to it that enough tasks are held under valid tokens."""
        commands = Commands(self.backend, self.catalog, *self._parts)
        for _ in range(WORKFLOWS):
            await commands.start(StartRequest(definition="fuzzed", input={"n": 1}))
        wish = Claim("somebody", (Want(("a@1.0",), WORKFLOWS),), 3_600.0)
        self.held = list(await self.backend.tasks.claim(wish, self.clock.now_ms()))
        assert len(self.held) >= WORKFLOWS // 2

    def right(self, task: ClaimedTask) -> bytes:
        """Return the envelope that its holder might send."""
        id_ = TaskId.parse(task.task_id)
        time_, output = rfc3339(self.clock.now_ms()), {"n": 1, "found": [1.5, "x", None]}
        given = (self.ids.uuid7(), "somewhere", time_, id_, task.token, "success", None, output)
        return encode_result(StageResult(*given))

    async def attack(self, count: int) -> None:
        """Put so many messages into the inboxes, and wait until every one has found its end."""
        await self.hold()
        messages = await asyncio.to_thread(self._messages, count)
        await self.backend.bus.publish(Topic.INBOX, messages, self.clock.now_ms())
        self.sent += count
        async with asyncio.timeout(PATIENCE_S):
            await self.ledger.reached(self.sent)

    def _messages(self, count: int) -> list[Message]:
        """Draw messages; in a thread, because the event loop is watched."""
        rights = [self.right(task) for task in self.held]
        messages = []
        for _ in range(count):
            place = self.mutator.chance.randrange(len(rights))
            body = self.mutator.mutated(rights[place], rights)
            messages.append(Message(self.held[place].task_id.partition("/")[0], body))
        return messages

    async def letters(self) -> int:
        """Count the dead letters that are kept, look at each, and discard them."""
        found = 0
        while some := await self.backend.dead_letters.list(limit=100):
            for letter in some:
                if not letter.reason:
                    self.ledger.problems.append(f"no reason: {letter}")
                await self.backend.dead_letters.discard(letter.letter_id)
            found += len(some)
        return found
