"""arq: each stage enqueues the next."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from arq import create_pool, func
from arq.connections import RedisSettings

from benchmarks.jobs.common import LAST, STAGES, Parcel, check, converse, leave, parcel, work
from benchmarks.jobs.common import ready as say_ready
from benchmarks.jobs.queued import DONE, await_done, start_all

QUIET = {"version": 1, "root": {"level": "ERROR"}}
"""Logging for the worker: by default it writes two lines for each job."""
SERVER = RedisSettings(port=int(os.environ["REDIS_PORT"]))


def make(place: int, stage: str) -> Any:
    """Return the function of one stage."""

    async def step(context: dict[str, Any], given: Parcel) -> Parcel:
        result, queue = work(given), context["redis"]
        if place < LAST:
            await queue.enqueue_job(STAGES[place + 1], result)
        else:
            check(result)
            await queue.rpush(DONE, result["name"])
        return result

    return func(step, name=stage)


async def started(_: dict[str, Any]) -> None:
    """Say that this worker takes jobs."""
    say_ready()


class WorkerSettings:
    """What the worker's command line reads."""

    functions = tuple(make(place, stage) for place, stage in enumerate(STAGES))
    redis_settings = SERVER
    on_startup = started
    max_jobs = 100
    poll_delay = 0.01
    keep_result = 3_600


async def main() -> None:
    """Submit what the measurer orders."""
    queue = await create_pool(SERVER)

    async def start(name: str) -> None:
        await queue.enqueue_job(STAGES[0], parcel(name))

    async def batch(names: list[str]) -> None:
        await start_all(names, start)
        await await_done(queue, len(names))

    async def one(name: str) -> None:
        await batch([name])

    await converse(batch, one)


if __name__ == "__main__":
    asyncio.run(main())
    leave()
