"""The orchestrator: receives what happened, decides, commits. Any number may run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import structlog

from stagewright.application.batch import BatchProcessor
from stagewright.application.catalog import Catalog
from stagewright.application.inbox import (
    MAX_ENVELOPE_BYTES,
    Refusal,
    Work,
    read_expired,
    read_message,
    read_timer,
)
from stagewright.application.live import LiveWorkflows
from stagewright.application.marks import Marks
from stagewright.application.ownership import Ownership
from stagewright.application.reconciler import Reconciler
from stagewright.application.retention import Retention
from stagewright.application.takeover import Takeover
from stagewright.domain.errors import StagewrightError
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import InboxMessage, Received
from stagewright.ports.system import IClock, IIdentifiers, IRandom

log = structlog.get_logger(__name__)


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

    def __init__(
        self,
        backend: Backend,
        catalog: Catalog,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
        options: OrchestratorOptions | None = None,
        holder: str | None = None,
    ) -> None:
        self.options = options or OrchestratorOptions()
        self.holder = holder or f"orchestrator-{ids.short()}"
        self._backend = backend
        self._clock = clock
        self._random = randomness
        self._lives = LiveWorkflows(backend.store, catalog)
        self._batch = BatchProcessor(backend, self._lives, clock, ids, randomness)
        self._ownership = Ownership(
            backend.kv,
            clock,
            self.holder,
            backend.partitions,
            self.options.ownership_ttl_s,
            inherit=backend.sole,
        )
        self._reconciler = Reconciler(backend, self._lives, clock)
        self._retention = Retention(
            backend, clock, self.options.retention_s, self.options.tombstone_s
        )
        self._marks = Marks()
        self._positions: dict[int, str] = {}
        self._drains: dict[int, Takeover] = {}
        self._scope: anyio.CancelScope | None = None
        self.ready = anyio.Event()

    async def run(self) -> None:
        """Work until stopped. A backend that fails is tried again after a second, jittered."""
        try:
            async with anyio.create_task_group() as duties:
                self._scope = duties.cancel_scope
                await self._own()
                if self._backend.sole:
                    await self._inherit()
                self.ready.set()
                duties.start_soon(self._forever, self._own, self._ownership.renew_s)
                duties.start_soon(self._forever, self._reconcile, self.options.reconcile_s)
                duties.start_soon(self._forever, self._retain, self.options.retain_every_s)
                duties.start_soon(self._forever, self._consume, 0.0)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(2):
                await self._let_go()

    def stop(self) -> None:
        """Stop after the step under way; what was not applied stays in the inbox."""
        if self._scope is not None:
            self._scope.cancel()

    async def _let_go(self) -> None:
        try:
            await self._ownership.release()
        except StagewrightError as error:
            log.warning("ownership_not_released", error=str(error))

    async def _forever(self, duty: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Run one duty again and again; an error of the backend is a pause, not an end."""
        while True:
            if every_s:
                await self._clock.sleep(every_s)
            try:
                await duty()
            except StagewrightError as error:
                name = getattr(duty, "__name__", "").strip("_")
                log.warning("duty_failed", duty=name, error=str(error))
                await self._clock.sleep(self.options.error_delay_s * (0.5 + self._random.random()))

    async def _own(self) -> None:
        owned = await self._ownership.renew()
        for partition in set(self._positions) - owned:
            del self._positions[partition]
            self._drains.pop(partition, None)
        for partition in owned - set(self._positions):
            drain = Takeover(self._backend.kv, self._clock, partition)
            await drain.begin()
            self._drains[partition] = drain
            self._positions[partition] = ""

    async def _inherit(self) -> None:
        """Who had the store before is dead: its agents' tasks need not wait for their leases."""
        for partition in sorted(self._positions):
            await self._reconciler.free_leases(partition)

    async def _reconcile(self) -> None:
        for partition in sorted(self._positions):
            await self._reconciler.reconcile(partition)

    async def _retain(self) -> None:
        for partition in sorted(self._positions):
            await self._retention.sweep(partition)

    async def _consume(self) -> None:
        """Apply one batch."""
        if not self._positions:
            await self._clock.sleep(self._ownership.renew_s / 2)
            return
        received = await self._backend.bus.receive(
            dict(self._positions),
            self.options.batch,
            self.options.wait_s,
            self._clock.now_ms(),
            MAX_ENVELOPE_BYTES,
        )
        await self._notice(received)
        try:
            await self._apply(received)
        except StagewrightError:
            self._start_over(received)
            raise
        self._advance(received)
        await self._end_drains(received)

    async def _apply(self, received: Received) -> None:
        work: list[Work] = [read_timer(timer) for timer in received.timers]
        expired, requeue = read_expired(received.expired, self._clock.now_ms())
        work.extend(expired)
        if requeue:
            await self._backend.tasks.release(requeue, lost=True, now_ms=self._clock.now_ms())
        for message in received.messages:
            drain = self._drains.get(message.partition)
            if drain is not None and drain.careful:
                await self._apply_carefully(drain, message)
                continue
            item = read_message(message)
            if isinstance(item, Refusal):
                await self._batch.reject(item)
            else:
                work.append(item)
        await self._batch.process(work)

    async def _apply_carefully(self, drain: Takeover, message: InboxMessage) -> None:
        """One message on its own, so that one that crashes its process does not blame others."""
        item: Work | Refusal
        if await drain.is_crasher(message):
            item = Refusal(message, "crashed its process three times")
        else:
            item = read_message(message)
        if isinstance(item, Refusal):
            await self._batch.reject(item)
        else:
            await self._batch.process([item])

    def _advance(self, received: Received) -> None:
        for message in received.messages:
            if message.partition in self._positions:
                self._positions[message.partition] = message.position

    def _start_over(self, received: Received) -> None:
        """After a failed batch nobody knows what took effect: read all that is left again."""
        for message in received.messages:
            if message.partition in self._positions:
                self._positions[message.partition] = ""
        self._lives.clear()

    async def _end_drains(self, received: Received) -> None:
        """Go on as usual where nothing is left from the owner before."""
        seen = Counter(message.partition for message in received.messages)
        for partition, drain in list(self._drains.items()):
            if drain.over(seen[partition], self.options.batch):
                del self._drains[partition]
                await drain.end()

    async def _notice(self, received: Received) -> None:
        """Report what a partition lost; trust nothing in memory after that."""
        for loss in self._marks.losses(received.marks):
            log.error("loss_noticed", loss=loss)
            now_ms = self._clock.now_ms()
            await self._backend.kv.set(f"loss:{now_ms}", loss.encode(), None, now_ms)
            self._lives.clear()
            await self._reconcile()
