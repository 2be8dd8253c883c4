"""What the Python jobs share: the six stages, and the conversation with whoever measures.

The measurer writes `batch N` or `idle N` to the submitter's standard input. The answer is one JSON
object: `{"seconds": 1.2}` for N workflows at once, `{"ms": [...]}` for N one after the other.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

STAGES = ("initialization", "scaffolding", "validation", "e2e", "integration", "deployment")
LAST = len(STAGES) - 1
BALLAST = "x" * 140

Parcel = dict[str, Any]
Batch = Callable[[list[str]], Awaitable[None]]
One = Callable[[str], Awaitable[None]]

_numbers = itertools.count(1)


def parcel(name: str) -> Parcel:
    """Return the input of a workflow, about 200 bytes as JSON."""
    return {"number": 0, "name": name, "hops": 0, "ballast": BALLAST}


def work(given: Parcel) -> Parcel:
    """Do what a stage does: nothing, but for counting the hop."""
    return {**given, "hops": given["hops"] + 1}


def check(result: Parcel) -> None:
    """Fail unless a result went through all six stages."""
    if result["hops"] != len(STAGES):
        raise RuntimeError(f"a workflow ended after {result['hops']} stages")


def fresh_name() -> str:
    """Return a name that no other workflow has."""
    return f"w{os.getpid()}-{next(_numbers)}"


def ready() -> None:
    """Tell the measurer that this process can begin."""
    print("READY", flush=True)


async def converse(batch: Batch, one: One) -> None:
    """Answer orders until there are no more."""
    ready()
    while line := await asyncio.to_thread(sys.stdin.readline):
        order, _, count = line.partition(" ")
        answer = await (_timed(batch, int(count)) if order == "batch" else _each(one, int(count)))
        print(json.dumps(answer), flush=True)


async def _timed(batch: Batch, count: int) -> dict[str, float]:
    names = [fresh_name() for _ in range(count)]
    started = time.perf_counter()
    await batch(names)
    return {"seconds": time.perf_counter() - started}


async def _each(one: One, count: int) -> dict[str, list[float]]:
    took_ms = []
    for _ in range(count):
        name, started = fresh_name(), time.perf_counter()
        await one(name)
        took_ms.append((time.perf_counter() - started) * 1_000)
    return {"ms": took_ms}


def converse_blocking(batch: Callable[[list[str]], None], one: Callable[[str], None]) -> None:
    """As `converse`, for libraries that block: nothing else runs on the loop meanwhile."""

    async def whole(names: list[str]) -> None:
        batch(names)

    async def single(name: str) -> None:
        one(name)

    asyncio.run(converse(whole, single))


def leave() -> None:
    """End at once: some libraries keep threads that nobody joins."""
    sys.stdout.flush()
    os._exit(0)
