"""Heartbeats from a thread of their own, so that an agent which blocks the loop keeps its lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import structlog

from stagewright.application.runner_heartbeat import Heartbeat
from stagewright.domain.errors import StagewrightError
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

HeartbeatBackend = Callable[[], AbstractAsyncContextManager[Backend]]
"""Opens a second connection to the runner's backend, on the event loop it is called from."""


class HeartbeatThread:
    """Runs a heartbeat on an event loop in a thread, over a connection of its own."""

    def __init__(self, heartbeat: Heartbeat, open_backend: HeartbeatBackend, clock: IClock) -> None:
        self._heartbeat, self._open_backend, self._clock = heartbeat, open_backend, clock
        self._loop = asyncio.new_event_loop()
        self._duty = self._loop.create_task(self._beat())
        self._thread = threading.Thread(target=self._main, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start beating."""
        self._thread.start()

    async def stop(self) -> None:
        """Stop beating and wait until the connection is closed."""
        self._loop.call_soon_threadsafe(self._duty.cancel)
        await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._duty)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _beat(self) -> None:
        """Beat; a connection that cannot be opened or breaks is opened anew."""
        while True:
            try:
                async with self._open_backend() as backend:
                    await self._heartbeat.run(backend.tasks, self._clock)
            except StagewrightError as error:
                log.warning("heartbeat_disconnected", error=str(error))
            except Exception:
                log.exception("heartbeat_broke")  # whatever it was, the leases must live on
            await self._clock.sleep(self._heartbeat.every_s)
