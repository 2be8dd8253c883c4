"""procrastinate on PostgreSQL: each stage defers the next. `worker`, or else the submitter."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector

from benchmarks.jobs.common import LAST, STAGES, Parcel, check, converse, leave, parcel, ready, work

URL = os.environ["POSTGRES_URL"]
ENDED = "select count(*) from procrastinate_jobs where task_name = %s and status = 'succeeded'"

app = App(connector=PsycopgConnector(conninfo=URL, min_size=4, max_size=12))
tasks: list[Any] = []


def make(place: int, stage: str) -> Any:
    """Return the task of one stage."""

    async def step(given: Parcel) -> Parcel:
        result = work(given)
        if place < LAST:
            await tasks[place + 1].defer_async(given=result)
        else:
            check(result)
        return result

    return app.task(name=stage)(step)


tasks += [make(place, stage) for place, stage in enumerate(STAGES)]


async def serve() -> None:
    """Make the tables, then work until ended."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        ready()
        await app.run_worker_async(concurrency=20, fetch_job_polling_interval=1.0)


async def submit() -> None:
    """Submit what the measurer orders."""
    async with app.open_async(), await psycopg.AsyncConnection.connect(URL, autocommit=True) as db:

        async def ended() -> int:
            row = await (await db.execute(ENDED, [STAGES[LAST]])).fetchone()
            return int(row[0]) if row else 0

        async def run(names: list[str], look_every_s: float) -> None:
            expected = await ended() + len(names)
            await tasks[0].batch_defer_async(*({"given": parcel(name)} for name in names))
            while await ended() < expected:  # noqa: ASYNC110 - a count in a database
                await asyncio.sleep(look_every_s)

        await converse(lambda names: run(names, 0.05), lambda name: run([name], 0.003))
        leave()


if __name__ == "__main__":
    asyncio.run(serve() if sys.argv[1:] == ["worker"] else submit())
