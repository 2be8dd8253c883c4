"""How bad things are: draws what becomes of every port call, from the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from stagewright.application.inbox import MAX_ENVELOPE_BYTES
from stagewright.domain.ids import workflow_of
from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.system import IClock
from stagewright.ports.task_queue import Advanced, Claim, Completed, Completion
from stagewright.testing.faults import UNHARMED, Crash, Fate, Faults, Process
from stagewright.testing.simulation.records import Records

NEVER_TWICE = frozenset({"bus.receive", "bus.subscribe", "kv.increment"})
"""A second `receive` would only wait; a second `increment` would count a try that nobody made."""

MOST_CALLS = 25_000
"""Of all processes in one run; a long run makes a tenth of it."""


class Spinning(Crash):
    """Somebody calls the backend again and again without end."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances per call, and how long things take."""

    late: float
    late_s: float
    fail: float
    kill: float
    stall: float
    stall_s: float
    twice: float
    redeliver: float
    lose: float
    jump_s: float
    skew_s: float
    poison: float
    """Share of outputs that kill whoever decides about them."""
    garble: float
    """Share of completions that nobody can read: not every runner is ours."""

    @classmethod
    def drawn(cls, chance: random.Random) -> Weather:
        """Each kind of trouble is absent in some runs, so that others can show."""
        pick = chance.choice
        return cls(
            late=pick([0.0, 0.2, 0.6]),
            late_s=pick([0.003, 0.05, 2.0]),
            fail=pick([0.0, 0.01, 0.04, 0.1]),
            kill=pick([0.0, 0.004, 0.012, 0.03]),
            stall=pick([0.0, 0.003, 0.01]),
            stall_s=pick([4.0, 9.0, 35.0]),
            twice=pick([0.0, 0.03]),
            redeliver=pick([0.0, 0.15, 0.6]),
            lose=pick([0.0, 0.0, 0.0, 0.05]),
            jump_s=pick([0.0, 0.0, 7.0, 40.0]),
            skew_s=pick([0.0, 0.0, 1.5, 12.0]),
            poison=pick([0.0] * 9 + [0.1]),
            garble=pick([0.0, 0.0, 0.0, 0.2]),
        )


class Storm(Faults):
    """Faults that are drawn for every call, until it is over."""

    def __init__(
        self, weather: Weather, chance: random.Random, clock: IClock, records: Records
    ) -> None:
        super().__init__(clock=clock, stalled=self._stop_for_a_while)
        self.weather, self._chance, self._records = weather, chance, records
        self.fact = records.fact
        self.deciding: set[str] = set()
        """Processes that decide results themselves."""
        self.over = False
        self._owners: dict[str, str] = {}

    def fate(self, process: Process, label: str) -> Fate:
        """Draw what becomes of a call."""
        self._records.tell(process.name, label)
        if len(self.calls) > MOST_CALLS:
            raise Spinning(process.name)
        if label == "tasks.complete" and process.name in self.deciding:
            self.fact("a result that lost its races went through the inbox")
        if self.over:
            return UNHARMED
        weather, chance = self.weather, self._chance
        draw = chance.random()
        fate = self._harmed(draw) or UNHARMED
        if chance.random() < weather.late:
            late_s = round(chance.uniform(0, weather.late_s), 3)
            self._records.fact("a call came late")
            if chance.random() < 0.5:
                fate = replace(fate, late_s=late_s)
            else:
                fate = replace(fate, answer_late_s=late_s)
        if label not in NEVER_TWICE and chance.random() < weather.twice:
            self._records.fact("a call came twice")
            fate = replace(fate, twice=True)
        if fate.harm is not None:
            self._records.fact(f"{fate.harm} {fate.moment} a call")
            self._records.tell(process.name, f"  {fate.harm} {fate.moment} {label}")
        return fate

    def _harmed(self, draw: float) -> Fate | None:
        weather = self.weather
        for chance, harm in (
            (weather.fail, "fail"),
            (weather.kill, "kill"),
            (weather.stall, "stall"),
        ):
            if draw < chance:
                return Fate(harm, "before" if draw < chance / 2 else "after")  # type: ignore[arg-type]
            draw -= chance
        return None

    async def _stop_for_a_while(self, name: str) -> None:
        assert self.clock is not None  # given above
        stall_s = round(self._chance.uniform(1.0, self.weather.stall_s), 3)
        self._records.tell(name, f"  stops for {stall_s:g} s")
        await self.clock.sleep(stall_s)

    def taken(self, partition: str, by: bytes) -> None:
        """Hear who owns a partition now."""
        holder = orjson.loads(by)["holder"]
        if self._owners.get(partition, holder) != holder:
            self.fact("a partition was taken over")
        self._owners[partition] = holder

    def garbled(self, body: bytes) -> bytes:
        """Return what becomes of a body that is written wrongly."""
        cut = self._chance.randrange(len(body))
        return self._chance.choice([b"", b"{}", body[:cut], b"x" * (MAX_ENVELOPE_BYTES + 1)])

    def chance(self, rate: float) -> bool:
        """Whether something with this rate happens now."""
        return not self.over and rate > 0 and self._chance.random() < rate


class Garbling:
    """A queue to which runners now and then hand in what nobody can read."""

    def __init__(self, storm: Storm, queue: Any) -> None:
        self._storm, self._queue = storm, queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        """Complete tasks, perhaps with nonsense."""
        sent = [self._sent(completion) for completion in completions]
        done: Completed = await self._queue.complete(sent, claim, now_ms)
        return done

    def _sent(self, completion: Completion) -> Completion:
        if not self._storm.chance(self._storm.weather.garble):
            return completion
        self._storm.fact("a task was completed with what cannot be read")
        return replace(completion, result=self._storm.garbled(completion.result))


class Leaky:
    """A backend that now and then loses what a step put in flight, and delivers results again."""

    def __init__(self, storm: Storm, backend: Backend, lost: Any) -> None:
        self.storm, self.backend, self.lost = storm, backend, lost

    def ports(self) -> Backend:
        """Return the backend with its leaks."""
        tasks: Any = _LeakyTasks(self, self.backend.tasks)
        store: Any = _LeakyStore(self, self.backend.store)
        kv: Any = _SeenValues(self.storm, self.backend.kv)
        return replace(self.backend, tasks=tasks, store=store, kv=kv)

    def leak(self, commit: Commit) -> Commit:
        """Return the commit, perhaps without its tasks and timers."""
        asked = commit.new_tasks or commit.timers
        if not commit.log or not asked or not self.storm.chance(self.storm.weather.lose):
            return commit
        self.lost(commit.workflow_id, [task.task_id for task in commit.new_tasks])
        return but(commit, new_tasks=(), timers={})

    async def deliver_again(self, completions: Sequence[Completion]) -> None:
        """Put results into the inbox that are there already, or were."""
        for completion in completions:
            if self.storm.chance(self.storm.weather.redeliver):
                message = Message(workflow_of(completion.task_id), completion.result)
                await self.backend.bus.publish(Topic.INBOX, [message], 0)


class _LeakyTasks:
    def __init__(self, leaky: Leaky, queue: Any) -> None:
        self._leaky, self._queue = leaky, queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        done: Completed = await self._queue.complete(completions, claim, now_ms)
        await self._leaky.deliver_again(completions)
        return done

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        leaking = [self._leaky.leak(commit) for commit in commits]
        advanced: Advanced = await self._queue.advance(leaking, claim, now_ms)
        return advanced


class _LeakyStore:
    def __init__(self, leaky: Leaky, store: Any) -> None:
        self._leaky, self._store = leaky, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        leaking = [self._leaky.leak(commit) for commit in commits]
        verdicts: Sequence[Verdict] = await self._store.commit(leaking, now_ms)
        return verdicts


class _SeenValues:
    """Counts what happens to partitions: they change hands, and drains do not end."""

    def __init__(self, storm: Storm, kv: Any) -> None:
        self._storm, self._kv = storm, kv

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kv, name)

    async def get(self, key: str, now_ms: int) -> bytes | None:
        value: bytes | None = await self._kv.get(key, now_ms)
        if key.startswith("drain:") and value is not None:
            self._storm.fact("an owner found that the drain before had not ended")
        return value

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, ttl_s: float | None, now_ms: int
    ) -> bool:
        done: bool = await self._kv.compare_and_set(key, expected, value, ttl_s, now_ms)
        if key.startswith("orchestrator:owner:"):
            if done and value:
                self._storm.taken(key, value)
            elif not done:
                self._storm.fact("an orchestrator was not the first to take a partition")
        return done
