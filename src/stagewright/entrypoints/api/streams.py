"""What streams goes on only as long as whoever opened it may still come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from stagewright.domain.errors import ForeignRequest, Unauthorized, Unreachable
from stagewright.entrypoints.api.bounds import Message, Send

AGAIN_S = 5.0
"""So often a stream that sends is asked again; one that is silent tells nothing."""
_END: dict[str, Message] = {
    "http.response.body": {"type": "http.response.body", "body": b"", "more_body": False},
    "websocket.send": {"type": "websocket.close", "code": 1008, "reason": "The key is over."},
}


class Streaming:
    """The `send` of one answer. An ordinary one is sent in less time than this asks again."""

    def __init__(self, admit: Callable[[], Awaitable[object]], send: Send) -> None:
        self._admit, self._send = admit, send
        self._due_s = time.monotonic() + AGAIN_S
        self._over = False
        self._task: asyncio.Task[object] | None = None

    async def run(self, answering: Callable[[Send], Awaitable[None]]) -> None:
        """Answer; return early when the stream was ended from here."""
        self._task = asyncio.current_task()
        try:
            await answering(self.send)
        except asyncio.CancelledError:
            if not self._over or self._task is None:
                raise
            self._task.uncancel()

    async def send(self, message: Message) -> None:
        """Send a piece, or the end when whoever listens may not any more."""
        piece = message["type"] == "websocket.send" or message.get("more_body", False)
        if self._over:
            return
        if piece and time.monotonic() >= self._due_s and not await self._admitted():
            self._over = True
            await self._send(_END[message["type"]])
            if self._task is not None:
                self._task.cancel()
            return
        await self._send(message)

    async def _admitted(self) -> bool:
        """Whether the door would open again; while the store is away, what was true stays so."""
        self._due_s = time.monotonic() + AGAIN_S
        try:
            await self._admit()
        except (Unauthorized, ForeignRequest):
            return False
        except Unreachable:
            return True
        return True
