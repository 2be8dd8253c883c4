"""Long answers that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

from stagewright.domain.errors import Unreachable

T = TypeVar("T")


async def unless_gone(request: Request, work: Awaitable[T], undo: Callable[[T], None]) -> T:
    """Return what `work` returns, unless its client has gone: then it is cancelled, or undone.

    For requests whose body was read. Nobody reads what is raised when the client has gone.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            return await working
    finally:
        gone.cancel()
        if not working.done():
            working.cancel()
    await asyncio.wait((working,))
    if not working.cancelled() and working.exception() is None:
        undo(working.result())
    raise Unreachable("The client", "it went away before it was answered")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
