"""For queues without workflows: who finishes the last stage pushes the name, the submitter pops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

DONE = "done"
AT_ONCE = 50
"""Starts that a submitter has under way at the same time."""

Start = Callable[[str], Awaitable[Any]]


async def start_all(names: list[str], start: Start) -> None:
    """Start many workflows, some at a time."""
    for first in range(0, len(names), AT_ONCE):
        await asyncio.gather(*map(start, names[first : first + AT_ONCE]))


async def await_done(client: Any, count: int) -> None:
    """Wait until so many workflows have ended."""
    while count:
        _, names = await client.blmpop(60, 1, DONE, direction="LEFT", count=500)
        count -= len(names)
