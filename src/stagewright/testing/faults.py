"""Kills processes at any call they make: ports that number every call over all processes of a run.

A process here is whatever holds the ports that `Faults.ports` hands out. At a chosen call it ends
by `Crash`, before the call reaches the backend or after it took effect, and every later call of
that process ends the same way: nothing it still does on its way out reaches the backend. Whoever
drives the run starts a new process with new ports and empty memory over the same backend.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from stagewright.ports.backend import Backend

Moment = Literal["before", "after"]
PORTS = ("bus", "kv", "store", "tasks", "dead_letters", "registry", "blobs")


class Crash(BaseException):
    """The process was killed. No `except Exception` may outlive it."""


@dataclass
class Process:
    """One life of one process."""

    name: str
    alive: bool = True


@dataclass
class Faults:
    """Counts the port calls of a run and kills the process that makes the chosen one."""

    at: Container[int] = ()
    """Numbers of the calls that kill whoever makes them, from 1."""
    moment: Moment = "before"
    calls: list[str] = field(default_factory=list)
    """What was called so far: `process port.method`."""
    kills: list[str] = field(default_factory=list)
    """The calls that killed their processes."""

    def ports(self, backend: Backend, name: str) -> Backend:
        """Return the backend as one new process sees it."""
        process = Process(name)
        wrapped: dict[str, Any] = {
            port: _Port(self, process, port, getattr(backend, port)) for port in PORTS
        }
        return replace(backend, **wrapped)

    async def call(self, process: Process, label: str, method: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call, or die before or after it."""
        self._check(process)
        self.calls.append(f"{process.name} {label}")
        chosen = len(self.calls) in self.at
        if chosen:
            self.kills.append(self.calls[-1])
        if chosen and self.moment == "before":
            process.alive = False
        self._check(process)
        result = await method()
        if chosen:
            process.alive = False
        self._check(process)
        return result

    def _check(self, process: Process) -> None:
        if not process.alive:
            raise Crash(process.name)


class _Port:
    """A port whose calls are counted. What opens a subscription is passed on as it is."""

    def __init__(self, faults: Faults, process: Process, name: str, port: Any) -> None:
        self._faults, self._process, self._name, self._port = faults, process, name, port

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        if method == "subscribe":
            return real

        def call(*args: Any, **kwargs: Any) -> Awaitable[Any]:
            label = f"{self._name}.{method}"
            return self._faults.call(self._process, label, lambda: real(*args, **kwargs))

        return call
