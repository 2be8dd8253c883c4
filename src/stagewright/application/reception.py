"""Receives for several consumers: each for itself at work, one for all while it is quiet.

So each decides and commits without waiting for the others, and yet a process that has nothing to do
keeps one read waiting at the backend and looks at what is due in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from stagewright.application.inbox import MAX_ENVELOPE_BYTES
from stagewright.domain.ids import partition_of
from stagewright.ports.message_bus import IMessageBus, Received
from stagewright.ports.system import IClock

LONGER = 10
"""A wait for all takes so many times as long as one for a single consumer."""


@dataclass(eq=False, slots=True)
class Listener:
    """One consumer, and what is known of it."""

    positions: Mapping[int, str] = field(default_factory=dict)
    quiet: bool = False
    """Whether it found nothing when it looked last."""
    waiting: bool = False
    """Whether it asks at this moment. Who is at work, or pauses, is not listened for: what waits
    for it would wake the others again and again."""
    asking: bool = False
    """Whether its own question is on its way: it could not hear what another found for it."""
    parked: asyncio.Future[Received | None] | None = None
    """Set while another listens for it; None in it sends it to look for itself."""


class Reception:
    """Receives for the listeners that it made."""

    def __init__(self, bus: IMessageBus, clock: IClock, *, limit: int, wait_s: float) -> None:
        self._bus, self._clock = bus, clock
        self.limit, self.wait_s = limit, wait_s
        self._listeners: list[Listener] = []
        self._leading: asyncio.Task[Received] | None = None
        self._covered: list[Listener] = []
        """Those for whom one listens."""
        self.alone = asyncio.Lock()
        """Held while one of them tries what may have crashed a process: they share this one."""
        self._turns = asyncio.Lock()

    async def turn(self) -> None:
        """Return when the event loop has gone round, and to one consumer in each round."""
        async with self._turns:
            await asyncio.sleep(0)

    def listener(self) -> Listener:
        """Return a new one."""
        self._listeners.append(Listener())
        return self._listeners[-1]

    async def receive(self, who: Listener, after: Mapping[int, str]) -> Received:
        """Return what waits behind some positions, or nothing after a while; see IMessageBus."""
        who.positions, who.waiting = dict(after), True
        try:
            while (found := await self._receive(who)) is None:
                pass
        finally:
            who.waiting = False
        self._note(who, found)
        return found

    async def _receive(self, who: Listener) -> Received | None:
        if who.quiet and self._leading is not None:
            if who in self._covered:
                return await self._park(who)
            self._release()  # from now on one listens for this one as well
        if all(one.quiet for one in self._listeners if one.waiting):
            return await self._lead(who)
        who.asking = True
        try:
            return await self._ask(who.positions, self.wait_s)
        finally:
            who.asking = False

    def changed(self, who: Listener, positions: Mapping[int, str]) -> None:
        """Note that a consumer has other partitions now: it looks for itself first."""
        who.positions, who.quiet = dict(positions), False
        self._release()

    def _note(self, who: Listener, found: Received) -> None:
        who.quiet = not (found.messages or found.timers or found.expired)
        if not who.quiet:
            self._release()

    async def _park(self, who: Listener) -> Received | None:
        """Let another listen."""
        who.parked = asyncio.get_running_loop().create_future()
        try:
            return await who.parked
        finally:
            who.parked = None

    async def _lead(self, who: Listener) -> Received | None:
        """Listen for all; whoever is not parked yet looks for itself once more, and then is."""
        self._covered = [one for one in self._listeners if one.waiting and not one.asking]
        everywhere = {p: at for one in self._covered for p, at in one.positions.items()}
        self._leading = leading = asyncio.create_task(self._ask(everywhere, LONGER * self.wait_s))
        try:
            await asyncio.wait({leading})
            if leading.cancelled():
                return None
            received = leading.result()
            for one in self._covered:
                _answer(one, _part(received, one.positions))
            return _part(received, who.positions)
        finally:
            leading.cancel()
            if self._leading is leading:
                self._release()

    async def _ask(self, after: Mapping[int, str], wait_s: float) -> Received:
        now_ms = self._clock.now_ms()
        return await self._bus.receive(after, self.limit, wait_s, now_ms, MAX_ENVELOPE_BYTES)

    def _release(self) -> None:
        """Let everybody look for itself."""
        leading, self._leading = self._leading, None
        if leading is not None:
            leading.cancel()
        for one in self._listeners:
            _answer(one, None)


def _answer(one: Listener, found: Received | None) -> None:
    if one.parked is not None and not one.parked.done():
        one.parked.set_result(found)


def _part(received: Received, positions: Mapping[int, str]) -> Received:
    """Return what is for the owner of some partitions."""
    return Received(
        [message for message in received.messages if message.partition in positions],
        [timer for timer in received.timers if partition_of(timer.workflow_id) in positions],
        [task for task in received.expired if partition_of(task.task_id) in positions],
        {number: mark for number, mark in received.marks.items() if number in positions},
    )
