"""Harms processes at any call they make: ports that number every call over all processes of a run.

A process here is whatever holds the ports that `Faults.ports` hands out. A kill ends it by `Crash`,
before the call reaches the backend or after it took effect, and every later call of that process
ends the same way: nothing it still does on its way out reaches the backend. Whoever drives the run
starts a new process with new ports and empty memory over the same backend. A failure is one call
that says truthfully what may have become of it. A stall holds up all calls of a process while the
others go on. A call may also come late, or reach the backend twice.

`Faults` harms at the calls whose numbers it is given; a subclass decides otherwise by `fate`.
"""

from __future__ import annotations

from asyncio import Event
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from stagewright.domain.errors import OutcomeUnknown, Unreachable
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock

Moment = Literal["before", "after"]
Harm = Literal["kill", "fail", "stall"]
PORTS = ("bus", "kv", "store", "tasks", "dead_letters", "registry", "blobs", "audit")


class Crash(BaseException):
    """The process was killed. No `except Exception` may outlive it."""


@dataclass(eq=False)
class Process:
    """One life of one process."""

    name: str
    alive: bool = True
    awake: Event = field(default_factory=Event)
    """Set unless it is stalled."""
    killed: Callable[[], None] | None = None
    """Told when it is killed."""

    def __post_init__(self) -> None:
        self.awake.set()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one call."""

    harm: Harm | None = None
    moment: Moment = "before"
    late_s: float = 0.0
    """How long the call is on its way to the backend."""
    answer_late_s: float = 0.0
    twice: bool = False
    """It reaches the backend twice; the first answer is heard."""


UNHARMED = Fate()


@dataclass
class Faults:
    """Counts the port calls of a run and harms the process that makes a chosen one."""

    at: Container[int] = ()
    """Numbers of the calls that harm whoever makes them, from 1."""
    moment: Moment = "before"
    harm: Harm = "kill"
    """`fail`: the call raises Unreachable (before) or OutcomeUnknown (after). `stall`: the process
    makes no call, and hears no answer, until `stalled` returns."""
    stalled: Callable[[str], Awaitable[None]] | None = None
    """Told the name of a process that stalls; required for stalls."""
    clock: IClock | None = None
    """Required for calls that come late."""
    calls: list[str] = field(default_factory=list)
    """What was called so far: `process port.method`."""
    hits: list[str] = field(default_factory=list)
    """The calls that harmed their processes."""

    def ports(self, backend: Backend, name: str | Process) -> Backend:
        """Return the backend as one new process sees it."""
        process = Process(name) if isinstance(name, str) else name
        wrapped: dict[str, Any] = {
            port: _Port(self, process, port, getattr(backend, port)) for port in PORTS
        }
        return replace(backend, **wrapped)

    def fate(self, process: Process, label: str) -> Fate:  # noqa: ARG002 - a subclass asks
        """Decide on the call that was just counted."""
        return Fate(self.harm, self.moment) if len(self.calls) in self.at else UNHARMED

    async def call(self, process: Process, label: str, method: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call, or come to harm before or after it."""
        fate = await self.enter(process, label)
        result = await method()
        if fate.twice:
            await method()
        await self.leave(process, label, fate)
        return result

    async def enter(self, process: Process, label: str) -> Fate:
        """Number a call that is about to be made, and return what becomes of it."""
        if not process.awake.is_set():
            await process.awake.wait()
        self._check(process)
        self.calls.append(f"{process.name} {label}")
        fate = self.fate(process, label)
        if fate.harm is not None:
            self.hits.append(self.calls[-1])
        if fate.late_s:
            await self._travel(process, fate.late_s)
        if fate.harm is not None and fate.moment == "before":
            await self._harm(process, fate.harm, Unreachable(label, "the call was not made"))
        return fate

    async def leave(self, process: Process, label: str, fate: Fate) -> None:
        """Let the answer to a call through, unless its process came or comes to harm."""
        if fate.answer_late_s:
            await self._travel(process, fate.answer_late_s)
        if fate.harm is not None and fate.moment == "after":
            await self._harm(process, fate.harm, OutcomeUnknown(label, "the answer was lost"))
        if not process.awake.is_set():
            await process.awake.wait()
        self._check(process)

    async def _travel(self, process: Process, late_s: float) -> None:
        assert self.clock is not None  # documented
        await self.clock.sleep(late_s)
        self._check(process)

    async def _harm(self, process: Process, harm: Harm, error: Unreachable) -> None:
        if harm == "fail":
            raise error
        if harm == "stall":
            await self._stall(process)
            return
        process.alive = False
        if process.killed is not None:
            process.killed()
        raise Crash(process.name)

    async def _stall(self, process: Process) -> None:
        assert self.stalled is not None  # documented
        process.awake.clear()
        try:
            await self.stalled(process.name)
        finally:
            process.awake.set()

    def _check(self, process: Process) -> None:
        if not process.alive:
            raise Crash(process.name)


class _Port:
    """A port whose calls are counted; a subscription counts when it is opened."""

    def __init__(self, faults: Faults, process: Process, name: str, port: Any) -> None:
        self._faults, self._process, self._name, self._port = faults, process, name, port

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        label = f"{self._name}.{method}"

        def call(*args: Any, **kwargs: Any) -> Awaitable[Any]:
            return self._faults.call(self._process, label, lambda: real(*args, **kwargs))

        @asynccontextmanager
        async def subscribe(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            fate = await self._faults.enter(self._process, label)
            async with real(*args, **kwargs) as messages:
                await self._faults.leave(self._process, label, fate)
                yield messages

        made = subscribe if method == "subscribe" else call
        self.__dict__[method] = made  # asked for once
        return made
