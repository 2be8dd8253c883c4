"""The orchestrator: receives what happened, decides, commits. Any number may run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import structlog

from stagewright.application.batch import BatchProcessor
from stagewright.application.catalog import Catalog
from stagewright.application.consumer import Consumer
from stagewright.application.live import LiveWorkflows
from stagewright.application.ownership import Ownership
from stagewright.application.reception import LONGER, Reception
from stagewright.application.reconciler import Reconciler
from stagewright.application.retention import Retention
from stagewright.domain.errors import StagewrightError
from stagewright.domain.workflow import Status
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock, IIdentifiers, IProcesses, IRandom

log = structlog.get_logger(__name__)

CONSUMERS = 4
"""Each takes every fourth partition: while some wait for their commits, another decides."""


@dataclass(frozen=True, slots=True)
class OrchestratorOptions:
    """What an orchestrator can be told."""

    batch: int = 256
    wait_s: float = 1.0
    ownership_ttl_s: float = 10.0
    reconcile_s: float = 30.0
    retention_s: float = 7 * 86_400.0
    tombstone_s: float = 30 * 86_400.0
    retain_every_s: float = 300.0
    error_delay_s: float = 1.0


class Orchestrator:
    """Owns partitions and applies what their inboxes, timers and leases bring."""

    def __init__(  # noqa: PLR0913 - the ports it works with
        self,
        backend: Backend,
        catalog: Catalog,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
        options: OrchestratorOptions | None = None,
        holder: str | None = None,
        *,
        processes: IProcesses | None = None,
    ) -> None:
        self.options = options or OrchestratorOptions()
        self.holder = holder or f"orchestrator-{ids.short()}"
        self._backend = backend
        self._clock = clock
        self._random = randomness
        self._ownership = Ownership(
            backend.kv,
            clock,
            self.holder,
            backend.partitions,
            self.options.ownership_ttl_s,
            inherit=backend.sole,
            processes=processes,
        )
        self._reconciler = Reconciler(backend, LiveWorkflows(backend.store, catalog), clock)
        self._retention = Retention(
            backend, clock, self.options.retention_s, self.options.tombstone_s
        )
        self._reception = Reception(
            backend.bus, clock, limit=self.options.batch, wait_s=self.options.wait_s
        )
        self._consumers = [self._consumer(catalog, ids) for _ in range(CONSUMERS)]
        self._scope: anyio.CancelScope | None = None
        self.ready = anyio.Event()
        self._rounds: dict[int, float] = {}
        """By consumer: when it came round last; one that fails again and again does not."""

    def _consumer(self, catalog: Catalog, ids: IIdentifiers) -> Consumer:
        lives = LiveWorkflows(self._backend.store, catalog)
        return Consumer(
            self._backend,
            lives,
            BatchProcessor(self._backend, lives, self._clock, ids, self._random),
            self._clock,
            reception=self._reception,
            lost=self._reconcile_all,
        )

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that it owns now."""
        return frozenset().union(*(consumer.partitions for consumer in self._consumers))

    @property
    def silent_s(self) -> float:
        """How long the slowest of its consumers has not come round; 0 before the first."""
        now_s = self._clock.monotonic_s()
        return now_s - min(self._rounds.values(), default=now_s)

    @property
    def patience_s(self) -> float:
        """How long a consumer may take for one round: three times as long as an idle one waits."""
        return 3 * LONGER * self.options.wait_s

    def _round(self, number: int, consumer: Consumer) -> Callable[[], Awaitable[None]]:
        async def consume() -> None:
            await consumer.consume()
            self._rounds[number] = self._clock.monotonic_s()

        return consume

    async def run(self) -> None:
        """Work until stopped. A backend that fails is tried again after a second, jittered."""
        try:
            async with anyio.create_task_group() as duties:
                self._scope = duties.cancel_scope
                while not await self._attempt(self._begin):
                    pass
                self.ready.set()
                duties.start_soon(self._forever, self._own, self._ownership.renew_s)
                duties.start_soon(self._forever, self._reconcile, self.options.reconcile_s)
                duties.start_soon(self._forever, self._retain, self.options.retain_every_s)
                for number, consumer in enumerate(self._consumers):
                    self._rounds[number] = self._clock.monotonic_s()
                    duties.start_soon(self._forever, self._round(number, consumer), 0.0)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(2):
                await self._let_go()

    def stop(self) -> None:
        """Stop after the step under way; what was not applied stays in the inbox."""
        if self._scope is not None:
            self._scope.cancel()

    async def _begin(self) -> None:
        await self._own()
        if self._backend.sole:
            await self._inherit()

    async def _let_go(self) -> None:
        try:
            for consumer in self._consumers:
                await consumer.leave()
            await self._ownership.release()
        except StagewrightError as error:
            log.warning("ownership_not_released", error=str(error))

    async def _forever(self, duty: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Run one duty again and again. Between two runs others have their turn, always."""
        while True:
            await self._clock.sleep(every_s)
            await self._attempt(duty)

    async def _attempt(self, duty: Callable[[], Awaitable[None]]) -> bool:
        """Run a duty once; an error of the backend is a pause, not an end."""
        try:
            await duty()
        except StagewrightError as error:
            name = getattr(duty, "__name__", "").strip("_")
            log.warning("duty_failed", duty=name, error=str(error))
            await self._pause()
            return False
        return True

    async def _pause(self) -> None:
        await self._clock.sleep(self.options.error_delay_s * (0.5 + self._random.random()))

    async def _own(self) -> None:
        owned = await self._ownership.renew()
        for partition in self.partitions - owned:
            self._consumer_of(partition).give_up(partition)
        for partition in owned - self.partitions:
            await self._consumer_of(partition).take(partition)

    def _consumer_of(self, partition: int) -> Consumer:
        return self._consumers[partition % CONSUMERS]

    async def _inherit(self) -> None:
        """Who had the store before is dead: its agents' tasks need not wait for their leases."""
        for partition in sorted(self.partitions):
            await self._reconciler.free_leases(partition)

    async def _reconcile(self) -> None:
        if not await self._alive():
            return  # the usual idle moment: one question in place of three for each partition
        for partition in sorted(self.partitions):
            await self._reconciler.reconcile(partition)

    async def _reconcile_all(self) -> None:
        for partition in sorted(self.partitions):
            await self._reconciler.reconcile(partition, whole=True)

    async def _alive(self) -> int:
        counts = await self._backend.store.counts()
        return sum(number for name, number in counts.items() if not Status(name).terminal)

    async def _retain(self) -> None:
        for partition in sorted(self.partitions):
            await self._retention.sweep(partition)
