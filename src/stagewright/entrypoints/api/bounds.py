"""How much a request may be, and how long it may take to arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stagewright.domain.bounded_json import bound_depth
from stagewright.domain.errors import LimitExceeded, TimedOut, UsageError

BODY_LIMIT_BYTES = 1_048_576
FILE_LIMIT_BYTES = 64 * 1_048_576
"""Of the payloads and artifacts that agents put for tasks in their hands."""
JSON_DEPTH = 64
HEADERS_LIMIT = 100
HEADERS_LIMIT_BYTES = 32_768
BODY_S = 20.0
"""A body that has not arrived whole by then is given up."""
DRAIN_S = 0.5
"""So long the rest of a refused body is taken and thrown away, so that its sender hears why."""
UNSUPPORTED = 415
REQUEST_TIMEOUT = 408

_TASKS, _FILES = "/api/v1/tasks/", ("/blobs", "/artifacts")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class EncodedBody(UsageError):
    """Bodies are taken as they are: compressed ones may unfold to anything."""


class SlowBody(TimedOut):
    """The request did not arrive in time."""


def check_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Raise LimitExceeded for too many or too long headers."""
    if len(headers) > HEADERS_LIMIT:
        raise LimitExceeded("The number of headers", found=len(headers), limit=HEADERS_LIMIT)
    size = sum(len(name) + len(value) for name, value in headers)
    if size > HEADERS_LIMIT_BYTES:
        raise LimitExceeded("The headers in bytes", found=size, limit=HEADERS_LIMIT_BYTES)


def takes_file(path: str) -> bool:
    """Whether a request's body is a file: bytes of any sort, and many."""
    return path.startswith(_TASKS) and path.endswith(_FILES)


def _limit(path: str) -> int:
    return FILE_LIMIT_BYTES if takes_file(path) else BODY_LIMIT_BYTES


def check_announced(headers: dict[bytes, bytes], path: str) -> None:
    """Raise for a body that is compressed or too big, as its headers say."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in {b"", b"identity"}:
        raise EncodedBody(remedy="Send the body without Content-Encoding.")
    announced = headers.get(b"content-length", b"0")
    limit = _limit(path)
    if not announced.isdigit() or int(announced[:20]) > limit:
        found = int(announced[:20]) if announced.isdigit() else 0
        raise LimitExceeded("Request body in bytes", found=found, limit=limit)


async def read_body(headers: dict[bytes, bytes], path: str, receive: Receive) -> bytes:
    """Return the body whole; LimitExceeded when it is too big or too deep, SlowBody when slow."""
    if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
        return (await receive()).get("body", b"")  # type: ignore[no-any-return]
    try:
        async with asyncio.timeout(BODY_S):
            body = await _whole(receive, _limit(path))
    except TimeoutError:
        raise SlowBody("The body", after_s=BODY_S, remedy="Send it faster, or less.") from None
    kind = headers.get(b"content-type", b"json")
    if b"json" in kind.lower() and not takes_file(path):
        bound_depth(body, JSON_DEPTH)
    return body


async def _whole(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise LimitExceeded("Request body in bytes", found=size, limit=limit)
        if not message.get("more_body", False):
            return b"".join(chunks)


class Incoming:
    """What comes with one request, and whether all of it has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.whole = False

    async def receive(self) -> Message:
        """Return the next piece."""
        message = await self._receive()
        self.whole = self.whole or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Take what is left of a refused body, for a moment: a closed socket loses the answer."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self.whole:
                    await self.receive()
        except TimeoutError:
            return


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body in one piece, and then what else comes."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again
