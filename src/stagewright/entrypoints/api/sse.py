"""Server-sent events: chunks of a stream as bytes, and a response that lets go of who stalls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import suppress
from typing import Any

import structlog
from fastapi import Response

from stagewright.application.feed_told import Chunk, Message
from stagewright.application.feed_words import closed
from stagewright.domain.errors import StagewrightError
from stagewright.entrypoints.api.bounds import Receive, Send
from stagewright.entrypoints.api.lines import keep_small, transport_of
from stagewright.ports.live import HEARTBEAT

log = structlog.get_logger(__name__)

MEDIA_TYPE = "text/event-stream"
SEND_DEADLINE_S = 10.0
"""A reader that has not taken what was sent to it for so long has stalled, and is let go of."""
RETRY_MS = 1_000
_OPENING = f"retry: {RETRY_MS}\n\n".encode()
_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # proxies that gather answers would hold events back
}

Chunks = AsyncGenerator[Chunk]


def frame(message: Message) -> bytes:
    """Return a message as a server-sent event; its body is JSON and so has no line break."""
    id_ = f"id: {message.id}\n".encode() if message.id is not None else b""
    if message.event == HEARTBEAT:
        return b": heartbeat\n" + id_ + b"\n"
    return id_ + f"event: {message.event}\ndata: ".encode() + message.body + b"\n\n"


class EventStream(Response):
    """Sends chunks until they end, the reader goes away or it stalls."""

    media_type = MEDIA_TYPE

    def __init__(self, chunks: Chunks, first: Chunk) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._chunks, self._first = chunks, first

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one reader."""
        transport = transport_of(scope)
        keep_small(transport)
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except TimeoutError:
            log.info("reader_stalled", path=scope.get("path"), deadline_s=SEND_DEADLINE_S)
            if transport is not None:
                transport.abort()
                await leaving  # until the server has noticed
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait({sending, leaving})
            await self._chunks.aclose()

    async def _send_all(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await _within(send, start)
        await self._write(send, _OPENING + self._first.wire(frame))
        try:
            async for chunk in self._chunks:
                await self._write(send, chunk.wire(frame))
        except StagewrightError as error:
            log.warning("stream_failed", error=str(error))
            await self._write(send, frame(closed("failed", "")))
        with suppress(TimeoutError):
            await _within(send, {"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, data: bytes) -> None:
        if data:
            await _within(send, {"type": "http.response.body", "body": data, "more_body": True})


async def _within(send: Send, message: MutableMapping[str, Any]) -> None:
    """Send; TimeoutError when the reader does not take what was sent to it before."""
    async with asyncio.timeout(SEND_DEADLINE_S):
        await send(message)


async def _left(receive: Receive) -> None:
    """Return when the reader has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def opened(chunks: Chunks) -> Response:
    """Return the response of a stream; 204 for one that is over, so that nobody asks again."""
    try:
        first = await anext(chunks)
    except StopAsyncIteration:
        return Response(status_code=204)
    return EventStream(chunks, first)
