"""Reading without the writer: WAL gives every statement the newest committed state.

Reads by key and reads of a bounded batch run on the event loop, on a connection of their own: they
take some microseconds, a thread would take a hundred. Scans run in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stagewright.adapters.sqlite.connection import Session

T = TypeVar("T")


class Reader:
    """Two reading connections: one for the event loop, one for scans."""

    def __init__(self, session: Session, scanning: Session) -> None:
        self.rows, self.row = session.rows, session.row
        self._scanning = scanning
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reader")

    async def scan(self, work: Callable[[Session], T]) -> T:
        """Run work that may look at many rows in the reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._scanning)

    def close(self) -> None:
        """End the thread once the scan that runs is over."""
        self._thread.shutdown(wait=True, cancel_futures=True)
