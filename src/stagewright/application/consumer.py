"""Applies what comes for some partitions: receive, decide, commit, and again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog

from stagewright.application.batch import BatchProcessor
from stagewright.application.inbox import (
    Refusal,
    Work,
    read_expired,
    read_message,
    read_timer,
)
from stagewright.application.live import LiveWorkflows
from stagewright.application.marks import Marks
from stagewright.application.reception import Reception
from stagewright.application.takeover import HOLDS, TRIES, Takeover
from stagewright.domain.errors import StagewrightError
from stagewright.domain.ids import partition_of
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Received
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

AT_ONCE_BYTES = 64 * 1024
"""So much is parsed before the event loop goes round, and then by one consumer in a round."""
CRASHED = "crashed its process three times"


class Consumer:
    """Reads the inboxes of its partitions from positions that it keeps in memory.

    `lives` and `processor` are its own: what it holds of a workflow nobody else changes.
    `reception` is shared by the consumers of a process.
    `lost` is called when a partition turns out to have lost commits.
    """

    def __init__(
        self,
        backend: Backend,
        lives: LiveWorkflows,
        processor: BatchProcessor,
        clock: IClock,
        *,
        reception: Reception,
        lost: Callable[[], Awaitable[None]],
    ) -> None:
        self._backend, self._clock = backend, clock
        self._lives, self._processor = lives, processor
        self._lost = lost
        self._reception, self._listener = reception, reception.listener()
        self._marks = Marks()
        self._positions: dict[int, str] = {}
        self._drains: dict[int, Takeover] = {}
        self._untold: dict[int, str] = {}
        """Losses that were noticed and not yet reported."""
        self._remembered: dict[int, str] = {}

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions it consumes."""
        return frozenset(self._positions)

    async def take(self, partition: int) -> None:
        """Begin with a partition at its beginning: all that is there was never applied."""
        drain = Takeover(self._backend.kv, self._clock, partition)
        await drain.begin()
        seen = await self._backend.kv.get(incarnation_key(partition), self._clock.now_ms())
        if seen is not None:
            self._marks.expect(partition, seen.decode())
        self._drains[partition] = drain
        self._positions[partition] = ""
        self._reception.changed(self._listener, self._positions)

    async def leave(self) -> None:
        """End in peace: the next owner need not be careful."""
        for drain in self._drains.values():
            await drain.end()

    def give_up(self, partition: int) -> None:
        """Leave a partition to its new owner."""
        self._positions.pop(partition, None)
        self._drains.pop(partition, None)
        self._reception.changed(self._listener, self._positions)

    async def consume(self) -> None:
        """Apply one batch; wait for it if nothing is there."""
        if not self._positions:
            await self._clock.sleep(self._reception.wait_s)
            return
        received = await self._reception.receive(self._listener, self._positions)
        if await self._notice(received):
            return  # what was received lies behind positions from before the loss
        try:
            await self._apply(received)
        except StagewrightError:
            self._start_over(received)
            raise
        self._advance(received)
        await self._end_drains(received)

    async def _apply(self, received: Received) -> None:
        left = self._processor.left
        items: list[Work] = [read_timer(timer) for timer in received.timers]
        expired, requeue = read_expired(received.expired, self._clock.now_ms())
        if requeue:
            await self._backend.tasks.release(requeue, lost=True, now_ms=self._clock.now_ms())
        items += expired
        bytes_read = 0
        for message in received.messages:
            bytes_read += len(message.body)
            if bytes_read > AT_ONCE_BYTES:  # others have their turn, however much has come
                bytes_read = len(message.body)
                await self._reception.turn()
            read = read_message(message)
            if isinstance(read, Refusal):
                await self._processor.reject(read)
            else:
                items.append(read)
        if bytes_read > AT_ONCE_BYTES:
            await asyncio.sleep(0)
        # Looked up before anything waits: the partition may be given up and taken again meanwhile.
        drains = [self._careful(item) for item in items]
        usual = [item for item, drain in zip(items, drains, strict=True) if drain is None]
        await self._processor.process(usual)
        for item, drain in zip(items, drains, strict=True):
            if drain is not None:
                await self._apply_carefully(item, drain)
        if self._processor.left > left:  # what stays due must not keep us spinning
            await self._clock.sleep(self._reception.wait_s)

    def _careful(self, item: Work) -> Takeover | None:
        """Return the drain that goes one by one through the item's partition."""
        drain = self._drains.get(partition_of(item.workflow_id))
        return drain if drain is not None and drain.careful else None

    async def _apply_carefully(self, item: Work, drain: Takeover) -> None:
        """One on its own, so that what crashes its process does not blame its neighbours.

        Neighbours are in other partitions too: a crash is that of everything under way.
        """
        timer = f"{item.workflow_id} {item.cause}"
        async with self._reception.alone:
            tries = await drain.tries(timer if item.inbox is None else item.inbox.position)
            if tries <= TRIES:
                await self._processor.process([item])
            elif tries <= TRIES + HOLDS:
                await self._processor.quarantine(item, CRASHED)
            else:  # even that crashed
                await self._processor.drop([item], CRASHED)

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
            if drain.over(seen[partition], self._reception.limit):
                self._drains.pop(partition, None)
                await drain.end()

    async def _notice(self, received: Received) -> bool:
        """Report what partitions lost, read them anew, and trust nothing in memory after that."""
        losses = self._marks.losses(received.marks)
        self._untold |= losses
        for partition in losses.keys() & self._positions.keys():
            self._positions[partition] = ""  # what was consumed may be back, behind where we read
        if losses:
            self._lives.clear()
        if self._untold:
            await self._report()
            await self._lost()
        await self._remember(received)
        return bool(losses)

    async def _report(self) -> None:
        """Keep what was lost for people to see; where each answer waited for replicas, log it."""
        if (await self._backend.store.health()).durability == "replicated":
            log.warning("takeover_noticed", partitions=list(self._untold.values()))
            self._untold.clear()
        for partition, loss in list(self._untold.items()):
            now_ms = self._clock.now_ms()
            await self._backend.kv.set(f"loss:{now_ms}:{partition}", loss.encode(), None, now_ms)
            log.error("loss_noticed", loss=loss)
            del self._untold[partition]

    async def _remember(self, received: Received) -> None:
        """Leave word to the next owners in which incarnation the partitions are."""
        for partition, mark in received.marks.items():
            if self._remembered.get(partition) != mark.incarnation:
                name, now_ms = mark.incarnation.encode(), self._clock.now_ms()
                await self._backend.kv.set(incarnation_key(partition), name, None, now_ms)
                self._remembered[partition] = mark.incarnation


def incarnation_key(partition: int) -> str:
    """Return the key of the incarnation that a partition's owners have seen last."""
    return f"incarnation:{partition}"
