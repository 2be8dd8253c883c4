"""Other processes that open a file. Run as a module with a role and a url.

`hold`: say `ready`, wait for a line, open; say `won` or `lost PID ADDRESS TOKEN`, hold until
standard input ends. `door`: as hold, after publishing a door. `load`: commit without end; one line
`WORKFLOW STEP_ID NUMBER` for each commit after it was answered.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from stagewright.adapters.sqlite import open_backend
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import OwnedElsewhere
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task_queue import Completion
from stagewright.testing.contracts.samples import claim, start, task, then, workflow

ROOT = Path(__file__).parents[3]
ADDRESS, TOKEN = "http://127.0.0.1:9", "open sesame"
WRITERS = 8


def started(role: str, url: str) -> subprocess.Popen[str]:
    """Start a process in a role. The caller ends it."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, role, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Give a process the line it waits for."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process, with no chance to tidy up."""
    process.kill()
    process.communicate()


def say(*words: object) -> None:
    """Say a line to the process that started this one."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def hold(url: str, *, door: bool = False) -> None:
    """Own the file, or say who does."""
    say("ready")
    sys.stdin.readline()
    try:
        async with open_backend(url, BackendOptions(), SystemClock()) as backend:
            if door:
                backend.publish_door(ADDRESS, TOKEN)
            say("won")
            sys.stdin.read()
    except OwnedElsewhere as owned:
        say("lost", owned.pid, owned.address, owned.token)


async def load(url: str) -> None:
    """Commit from several tasks at once until killed."""
    async with open_backend(url, BackendOptions(), SystemClock()) as backend:
        await asyncio.gather(*(write(backend, number) for number in range(WRITERS)))


async def write(backend: Backend, number: int) -> None:
    """Step one workflow for ever, with a task claimed and completed for every step."""
    id_, clock, lane = workflow(number, 0), SystemClock(), f"build@1.{number}"
    commit = start(id_, new_tasks=(task(id_, "s1", lane=lane),))
    for step in range(1, 1_000_000):
        await backend.store.commit([commit], clock.now_ms())
        say(id_, commit.step_id, step)
        (claimed,) = await backend.tasks.claim(claim(lane), clock.now_ms())
        done = Completion(claimed.task_id, claimed.token, b"%d" % step)
        await backend.tasks.complete([done], None, clock.now_ms())
        await backend.bus.publish(Topic.NOTES, [Message(id_, b"note")], clock.now_ms())
        new = task(id_, f"s{step + 1}", lane=lane)
        commit = then(
            commit,
            snapshot=b"%d" % (step + 1),
            outputs={f"s{step}/1": b"%d" % step},
            new_tasks=(new,),
            closed_tasks=(claimed.task_id,),
        )


if __name__ == "__main__":
    role, url = sys.argv[1:]
    asyncio.run({"hold": hold, "door": lambda url: hold(url, door=True), "load": load}[role](url))
