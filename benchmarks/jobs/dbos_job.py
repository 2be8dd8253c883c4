"""DBOS: a workflow of six steps.

`worker` takes workflows from a queue in the database; `submitter` puts them there and watches;
`alone` runs them in its own process, the simplest way to use it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSClient

from benchmarks.jobs.common import (
    STAGES,
    Parcel,
    check,
    converse,
    converse_blocking,
    fresh_name,
    leave,
    parcel,
    ready,
    work,
)

ROLE = sys.argv[1]
FLOW, QUEUE, RELEASE = "six_stages", "stages", "1"
AT_ONCE = int(os.environ.get("CONCURRENCY", "10"))


def address() -> str:
    """Return the database: PostgreSQL where there is one, else a SQLite file."""
    if "POSTGRES_URL" in os.environ:
        return os.environ["POSTGRES_URL"].replace("postgresql:", "postgresql+psycopg:")
    return f"sqlite:///{os.environ['FOLDER']}/dbos.sqlite"


def make(stage: str) -> Any:
    """Return the step of one stage."""

    async def step(given: Parcel) -> Parcel:
        return work(given)

    return DBOS.step(name=stage)(step)


steps = [make(stage) for stage in STAGES]


@DBOS.workflow(name=FLOW)
async def flow(given: Parcel) -> Parcel:
    """Go through all six."""
    for step in steps:
        given = await step(given)
    return given


def launch() -> None:
    """Start the library in this process."""
    DBOS(
        config={
            "name": "stages",
            "system_database_url": address(),
            "application_version": RELEASE,
            "executor_id": f"{ROLE}-{os.getpid()}",
            "log_level": "WARNING",
        }
    )
    DBOS.launch()


def serve() -> None:
    """Take workflows from the queue until ended."""
    launch()
    DBOS.register_queue(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=0.02)
    ready()
    threading.Event().wait()


def submit() -> None:
    """Submit what the measurer orders, and watch the table of workflows."""
    client = DBOSClient(system_database_url=address())
    engine = sqlalchemy.create_engine(address())
    ended = sqlalchemy.text(
        "select count(*) from dbos.workflow_status"
        " where workflow_uuid like :prefix and status = 'SUCCESS'"
    )

    def count(prefix: str) -> int:
        with engine.connect() as connection:
            return int(connection.execute(ended, {"prefix": prefix + "%"}).scalar_one())

    def run(names: list[str], look_every_s: float) -> None:
        prefix = f"{fresh_name()}:"
        for name in names:
            options: Any = {
                "queue_name": QUEUE,
                "workflow_name": FLOW,
                "app_version": RELEASE,
                "workflow_id": prefix + name,
            }
            client.enqueue(options, parcel(name))
        while count(prefix) < len(names):
            time.sleep(look_every_s)

    converse_blocking(lambda names: run(names, 0.05), lambda name: run([name], 0.005))
    leave()


async def alone() -> None:
    """Run workflows in this process, a few at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with places:
            check(await flow(parcel(name)))

    async def batch(names: list[str]) -> None:
        await asyncio.gather(*map(one, names))

    await converse(batch, one)


if __name__ == "__main__":
    if ROLE == "alone":
        launch()
        asyncio.run(alone())
        leave()
    (serve if ROLE == "worker" else submit)()
