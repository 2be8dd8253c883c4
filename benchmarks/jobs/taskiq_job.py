"""taskiq over Redis streams: each stage sends the next, which is not atomic with its own end."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import uvloop
from redis.asyncio import Redis
from taskiq import TaskiqEvents
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.jobs.common import LAST, STAGES, Parcel, check, converse, leave, parcel, work
from benchmarks.jobs.common import ready as say_ready
from benchmarks.jobs.queued import DONE, await_done, start_all

URL = os.environ["REDIS_URL"]

results: Any = RedisAsyncResultBackend(URL, result_ex_time=3_600)
broker = RedisStreamBroker(URL, consumer_id="0").with_result_backend(results)
client = Redis.from_url(URL)
tasks: list[Any] = []


def make(place: int, stage: str) -> Any:
    """Return the task of one stage."""

    async def step(given: Parcel) -> Parcel:
        result = work(given)
        if place < LAST:
            await tasks[place + 1].kiq(result)
        else:
            check(result)
            await client.rpush(DONE, result["name"])
        return result

    step.__name__ = step.__qualname__ = stage
    return broker.task(task_name=stage)(step)


tasks += [make(place, stage) for place, stage in enumerate(STAGES)]


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def started(_: Any) -> None:
    """Say that this worker takes tasks."""
    say_ready()


async def main() -> None:
    """Submit what the measurer orders."""
    await broker.startup()

    async def start(name: str) -> None:
        await tasks[0].kiq(parcel(name))

    async def batch(names: list[str]) -> None:
        await start_all(names, start)
        await await_done(client, len(names))

    async def one(name: str) -> None:
        await batch([name])

    await converse(batch, one)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    leave()
