"""One run: processes, people, agents and a storm, all drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from stagewright.adapters.memory import open_backend
from stagewright.application.agents import Agent
from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.application.ownership import owners
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.runner_presence import Identity
from stagewright.domain.ids import partition_of
from stagewright.domain.plan import Plan
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.task import TaskRecord
from stagewright.testing.clock import VirtualClock
from stagewright.testing.faults import Process
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom
from stagewright.testing.simulation.cast import Cast
from stagewright.testing.simulation.catalogs import PoisonedCatalog, SharedCatalog, compile_for_all
from stagewright.testing.simulation.definitions import definition
from stagewright.testing.simulation.people import Client, Orders
from stagewright.testing.simulation.processes import Life, Neighbours, ProcessClock, Supervisor
from stagewright.testing.simulation.promises import Promises
from stagewright.testing.simulation.records import Records
from stagewright.testing.simulation.weather import Garbling, Leaky, Storm, Weather

T = TypeVar("T")

DEFINITIONS = 400
"""Definitions are drawn from so many, and more at night: each is compiled once in a process."""
START_MS = 1_750_000_000_000
ORCHESTRATING = OrchestratorOptions(
    wait_s=4.0, ownership_ttl_s=9.0, reconcile_s=15.0, retain_every_s=20.0, batch=16
)
SERVING = RunnerOptions(
    lease_s=5.0, grace_s=2.0, sweep_s=2.0, sweep_most_s=6.0, presence_s=6.0, presence_ttl_s=15.0,
    inline_bytes=300,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Population:
    """Who takes part."""

    partitions: int
    orchestrators: int
    runners: tuple[bool, ...]
    """One each; true: it decides its results itself."""
    clients: int
    storm_s: float
    retention_s: float
    one_host: bool
    """Whether orchestrators see that others have ended."""

    @classmethod
    def drawn(cls, chance: random.Random) -> Population:
        """Draw how many there are, and for how long the storm lasts."""
        return cls(
            partitions=chance.randint(1, 3),
            orchestrators=chance.randint(1, 3),
            runners=tuple(chance.random() < 0.5 for _ in range(chance.randint(1, 3))),
            clients=chance.randint(1, 2),
            storm_s=chance.choice([15.0, 30.0, 45.0]),
            retention_s=chance.choice([20.0, 7 * 86_400.0]),
            one_host=chance.random() < 0.5,
        )


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a call to the memory backend answers: it never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer: T = done.value
        return answer
    coroutine.close()
    msg = "the call waited"
    raise RuntimeError(msg)


class World:
    """Everything that one seed makes, over one memory backend."""

    def __init__(self, seed: int, clock: VirtualClock) -> None:
        self.seed, self.clock = seed, clock
        self.chance = random.Random(f"world {seed}")  # noqa: S311  # repeatable by intent
        self.population = Population.drawn(self.chance)
        self.records = Records(clock)
        self.ids, self.randomness = SeededIdentifiers(seed, clock), SeededRandom(seed)
        weather = Weather.drawn(self.chance)
        self.storm = Storm(weather, self._own_chance("storm"), clock, self.records)
        self.promises = Promises(self.records, self._look, self._plan, clock.now_ms)
        self.cast = Cast(seed, clock, self.promises.note, self.records.fact, weather.poison)
        most = DEFINITIONS + seed // 10
        drawn = [definition(self.chance.randrange(most)) for _ in range(2)]
        self.definitions = {one.name: one for one in drawn}
        self.orders = Orders.drawn(
            self.chance, list(self.definitions), self.ids, self.population.storm_s
        )
        self.supervisor = Supervisor(
            clock, self._own_chance("deaths"), self.records, self._opened, self.promises.broken
        )
        self.backend: Backend
        self.stoppable: dict[str, Callable[[], None]] = {}
        """How each process is told to stop in order."""
        self.plans: dict[str, Plan] = {}
        self._lives = 0
        self.neighbours: dict[str, Process] = {}
        """The lives on one host, by name."""
        self.url = f"memory://simulation-{id(self)}"

    def _own_chance(self, what: str) -> random.Random:
        return random.Random(f"{what} {self.seed}")  # noqa: S311  # repeatable by intent

    # --- what the promises ask -----------------------------------------------------------------

    def _look(self, workflow_id: str) -> tuple[Mapping[str, TaskRecord], str | None]:
        (found,) = at_once(self.backend.tasks.inspect([workflow_id]))
        owned = at_once(owners(self.backend.kv, self.clock.now_ms()))
        return {one.task_id: one for one in found}, owned.get(partition_of(workflow_id))

    def _plan(self, hash_: str) -> Plan:
        return self.plans[hash_]

    # --- processes -----------------------------------------------------------------------------

    async def _opened(self, process: Process) -> AsyncIterator[Life]:
        """Open the backend as one process sees it: through its clock, its leaks and its faults."""
        skew_s = self.storm.weather.skew_s if self.storm.chance(0.5) else 0.0
        skew_ms = round(1_000 * self.chance.uniform(-skew_s, skew_s))
        self.records.fact("a clock was wrong", bool(skew_ms))
        clock = ProcessClock(self.clock, process, skew_ms)
        options = BackendOptions(partitions=self.population.partitions)
        async with open_backend(self.url, options, clock) as plain:
            leaky = Leaky(self.storm, plain, self._lost).ports()
            watched = self.promises.watched(leaky)
            tasks: Any = Garbling(self.storm, watched.tasks)
            ports = self.storm.ports(replace(watched, tasks=tasks), process)
            yield Life(process, ports, clock)

    def _lost(self, workflow_id: str, task_ids: list[str]) -> None:
        self.records.fact("the store lost what a step put in flight")
        self.promises.losing(workflow_id, task_ids)

    def _catalog(self, life: Life) -> SharedCatalog:
        kind = PoisonedCatalog if self.storm.weather.poison else SharedCatalog
        return kind(life, self.records.fact)

    async def orchestrate(self, life: Life) -> None:
        """Live as an orchestrator."""
        options = replace(ORCHESTRATING, retention_s=self.population.retention_s)
        catalog = self._catalog(life)
        parts = (life.backend, catalog, life.clock, self.ids, self.randomness)
        neighbours = (
            Neighbours(life, self.neighbours, self.records) if self.population.one_host else None
        )
        while True:  # one that stops in order is followed by another
            self._lives += 1  # nobody comes back under the name of one that died
            holder = f"{life.process.name}.{self._lives}"
            orchestrator = Orchestrator(
                *parts, options=options, holder=holder, processes=neighbours
            )
            self.stoppable[life.process.name] = orchestrator.stop
            await orchestrator.run()

    async def serve(self, life: Life, *, deciding: bool) -> None:
        """Live as a runner of agents."""
        catalog = self._catalog(life) if deciding else None
        agents = dict.fromkeys(self.cast.agents(), 2)
        while True:
            runner = self._runner(life, agents, catalog)
            self.stoppable[life.process.name] = runner.stop
            await runner.run()

    def _runner(
        self, life: Life, agents: dict[Agent[..., Any], int], catalog: Catalog | None
    ) -> AgentRunner:
        return AgentRunner(
            life.backend, agents, life.clock, self.ids, self.randomness,
            options=SERVING, identity=Identity(life.process.name), catalog=catalog,
        )  # fmt: skip

    async def speak(self, life: Life, client: Client) -> None:
        """Live as a client."""
        catalog = SharedCatalog(life)
        commands = Commands(life.backend, catalog, life.clock, self.ids, self.randomness)
        await client.work(commands, life.clock, 0.0)

    def begin(self) -> None:
        """Start everybody."""
        for number in range(self.population.orchestrators):
            self.supervisor.begin(f"orchestrator-{number}", self.orchestrate)
        for number, deciding in enumerate(self.population.runners):
            name = f"runner-{number}"
            self.storm.deciding.update([name] * deciding)
            self.supervisor.begin(name, partial(self.serve, deciding=deciding))
        orders = [*self.orders.starts, *self.orders.commands]
        for number, name in enumerate(self.clients):
            mine = orders[number :: len(self.clients)]
            client = Client(name, self.orders, mine, self.records, self.promises)
            self.supervisor.begin(name, partial(self.speak, client=client))

    @property
    def clients(self) -> list[str]:
        """The processes through which people speak."""
        return [f"client-{number}" for number in range(self.population.clients)]

    @property
    def spoken(self) -> bool:
        """Whether everything that was to be said got its answer."""
        return all(map(self.supervisor.done, self.clients))

    async def register(self) -> None:
        """Put the definitions into the registry, before anything happens."""
        catalog = Catalog(self.backend.registry, self.clock)
        self.plans = await compile_for_all(catalog, self.definitions.values())
