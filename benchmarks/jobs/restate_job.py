"""Restate: a handler with six durable steps.

`worker` serves the handler in two processes; `submitter` announces it to the server and calls it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import restate

from benchmarks.jobs.common import STAGES, Parcel, check, converse, leave, parcel, ready, work

AT_ONCE = 400
PORT = int(os.environ["WORKER_PORT"])
PROCESSES = 2

service = restate.Service("stages")


async def step(given: Parcel) -> Parcel:
    """Do a stage's work."""
    return work(given)


@service.handler()
async def run(context: restate.Context, given: Parcel) -> Parcel:
    """Go through all six."""
    for stage in STAGES:
        given = await context.run_typed(stage, step, restate.RunOptions(), given)
    return given


app = restate.app([service])


async def submit() -> None:
    """Call the handler as the measurer orders."""
    import aiohttp

    call, announce = f"{os.environ['RESTATE_INGRESS']}/stages/run", os.environ["RESTATE_ADMIN"]
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:

        async def post(url: str, body: Any) -> Any:
            async with session.post(url, json=body) as reply:
                return await reply.json()

        async def one(name: str) -> None:
            check(await post(call, parcel(name)))

        async def batch(names: list[str]) -> None:
            await asyncio.gather(*map(one, names))

        where = {"uri": f"http://127.0.0.1:{PORT}", "force": True}
        await post(f"{announce}/deployments", where)
        await converse(batch, one)
        leave()


def serve() -> None:
    """Serve the handler until ended."""
    from hypercorn.config import Config
    from hypercorn.run import run as serve_processes

    config = Config()
    config.application_path = "benchmarks.jobs.restate_job:app"
    config.bind = [f"127.0.0.1:{PORT}"]
    config.workers = PROCESSES
    config.keep_alive_timeout = 300
    config.worker_class = "uvloop"
    serve_processes(config)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        serve()
    else:
        asyncio.run(submit())
elif os.environ.get("ROLE") == "worker":
    ready()
