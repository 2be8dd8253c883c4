"""Virtual time over real servers: it stands still while a call to one of them is under way.

`VirtualClock.auto` jumps whenever the event loop has nothing to do, and while a server works on a
call the loop has nothing to do: leases would run out before any answer came. Here the calls to the
ports are counted. A call that waits by itself, as `receive` does, waits through the clock that its
adapter was given, and for so long it does not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from stagewright.ports.backend import Backend, BackendOptions, OpenBackend
from stagewright.ports.system import IClock
from stagewright.testing.clock import VirtualClock, settle
from stagewright.testing.faults import PORTS

_BREATH_S = 0.001
"""What a server says of its own accord (a hint, the end of a read that waited) is no call."""


class PatientClock(VirtualClock):
    """A virtual clock whose `auto` waits for answers before it jumps."""

    def __init__(self, start_ms: int = 1_750_000_000_000) -> None:
        super().__init__(start_ms)
        self._calls = self._asleep = 0
        self.within: IClock = _Within(self)
        """The clock for the adapter: who sleeps by it is in a call that waits."""

    @property
    def busy(self) -> bool:
        """Whether a call is under way that does not wait for time to pass."""
        return self._calls > self._asleep

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Count a call."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    @contextmanager
    def sleeping(self) -> Iterator[None]:
        """Do not count a call for so long."""
        self._asleep += 1
        try:
            yield
        finally:
            self._asleep -= 1

    async def _jump_when_idle(self) -> None:
        while True:
            await asyncio.sleep(_BREATH_S)
            await settle()
            if not self.busy and self.next_wake_ms is not None:
                self._wake_next()


def patient(open_backend: OpenBackend) -> OpenBackend:
    """Return an opener of the same backends; it must be given a PatientClock."""

    @asynccontextmanager
    async def opened(url: str, options: BackendOptions, clock: IClock) -> AsyncIterator[Backend]:
        assert isinstance(clock, PatientClock)
        async with open_backend(url, options, clock.within) as backend:
            counted: dict[str, Any] = {
                port: _Counted(clock, getattr(backend, port)) for port in PORTS
            }
            yield replace(backend, **counted)

    return opened


class _Within:
    """The same time, whose sleepers are known to wait inside of a call."""

    def __init__(self, clock: PatientClock) -> None:
        self._clock = clock
        self.now_ms, self.monotonic_s = clock.now_ms, clock.monotonic_s

    async def sleep(self, delay_s: float) -> None:
        with self._clock.sleeping():
            await self._clock.sleep(delay_s)


class _Counted:
    """A port whose calls the clock knows of; a subscription is one until it stands."""

    def __init__(self, clock: PatientClock, port: Any) -> None:
        self._clock, self._port = clock, port

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            with self._clock.calling():
                return await real(*args, **kwargs)

        @asynccontextmanager
        async def subscribe(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            opening = real(*args, **kwargs)
            with self._clock.calling():
                messages = await opening.__aenter__()
            try:
                yield messages
            finally:
                await opening.__aexit__(None, None, None)

        return subscribe if method == "subscribe" else call
