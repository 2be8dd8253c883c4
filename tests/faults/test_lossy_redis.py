"""A twentieth of all traffic between every process and Redis comes to harm: nothing is lost."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from stagewright.domain.workflow import Status
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import PartitionMark
from stagewright.testing.checker import gather, judge, read_journals
from stagewright.testing.proxy import Harm, Proxy, Share
from stagewright.testing.servers import RedisServer
from tests.faults.load import Submitter
from tests.faults.test_kills_redis import Deployment, register

SEED = int(os.environ.get("LOSS_SEED", "20261122"))
SHARE = 0.05
CONSUMING_AGAIN_S = 10.0
LIMIT_S_PER_WORKFLOW = 0.6
SUBMITTER = "submitter"
SUBMITTERS = 20
"""So many start workflows at once: each start opens connections, and a third of them are harmed."""


@dataclass
class Progress:
    """How long nothing moved while there was something to do, at most."""

    longest_s: float = 0.0
    _commits: object = None
    _since_s: float = field(default_factory=anyio.current_time)

    def look(self, marks: dict[int, PartitionMark], alive: int) -> None:
        """Compare with what was seen before."""
        now_s = anyio.current_time()
        if marks != self._commits or not alive:
            self._commits, self._since_s = marks, now_s
        self.longest_s = max(self.longest_s, now_s - self._since_s)


@dataclass
class Outcome:
    """What became of a run over lossy lines."""

    violations: list[str]
    harmed: Counter[Harm]
    pieces: int
    longest_pause_s: float
    acknowledged: int


@asynccontextmanager
async def lines(redis: RedisServer) -> AsyncIterator[dict[str, Proxy]]:
    """A line of its own for every process, harmless at first."""
    async with AsyncExitStack() as stack:
        proxies = {name: Proxy(redis.port) for name in (*Deployment.NAMES, SUBMITTER)}
        for proxy in proxies.values():
            await stack.enter_async_context(proxy.running())
        yield proxies


async def watch(backend: Backend, progress: Progress, workflows: int) -> None:
    """Look at the server itself until all is done."""
    everything = dict.fromkeys(range(backend.partitions), "")
    while True:
        counts = await backend.store.counts()
        received = await backend.bus.receive(everything, 1, 0.0, 0, 1)
        ended = sum(counts.get(status.value, 0) for status in Status if status.terminal)
        progress.look(dict(received.marks), sum(counts.values()) - ended)
        if ended >= workflows:
            return
        await anyio.sleep(0.25)


async def survived(folder: Path, workflows: int, options: str = "") -> Outcome:
    """Run workflows over lossy lines; return what is to be said of it. `options` of the URLs."""
    sys.stdout.write(f"replay with LOSS_SEED={SEED}\n")
    with RedisServer(appendonly="always") as redis:
        await register(redis.url)
        async with lines(redis) as proxies, opened(Settings(url=redis.url)) as container:
            store, progress = container.backend().store, Progress()
            urls = {name: proxy.url + options for name, proxy in proxies.items()}
            deployment, submitter = Deployment(redis, folder, urls), Submitter(urls[SUBMITTER])
            await anyio.to_thread.run_sync(deployment.start)
            for name, proxy in proxies.items():
                proxy.plan = Share(SHARE, random.Random(f"{SEED} {name}"))
            with anyio.move_on_after(60 + LIMIT_S_PER_WORKFLOW * workflows):
                async with anyio.create_task_group() as group:
                    for first in range(SUBMITTERS):
                        some = range(first, workflows, SUBMITTERS)
                        group.start_soon(submitter.submit, some, 0.02)
                    group.start_soon(watch, container.backend(), progress, workflows)
            await anyio.to_thread.run_sync(deployment.stop)
            evidence = await gather(store, submitter.acknowledged)
    return Outcome(
        judge(submitter.acknowledged, evidence, read_journals(folder / "journal")),
        sum((proxy.harmed for proxy in proxies.values()), Counter()),
        sum(proxy.pieces for proxy in proxies.values()),
        progress.longest_s,
        len(submitter.acknowledged),
    )


async def resumed(folder: Path, harm: Harm) -> float:
    """Harm all connections of all processes at once; how long until new work moves, in seconds.

    Agents hand in through the inbox, so that a reader that waits is needed as well.
    """
    with RedisServer() as redis:
        await register(redis.url)
        async with lines(redis) as proxies:
            urls = {name: proxy.url for name, proxy in proxies.items()}
            deployment, submitter = Deployment(redis, folder, urls), Submitter(redis.url)
            deployment.leave_out("agents-steps")
            await anyio.to_thread.run_sync(deployment.start)
            await submitter.submit(range(3), 0)
            await finished(submitter, 3)
            for proxy in proxies.values():
                proxy.harm_all(harm)
            begun_s = anyio.current_time()
            await submitter.submit(range(3, 6), 0)
            await moved(redis.url, submitter.acknowledged[3:])
            took_s = anyio.current_time() - begun_s
            await finished(submitter, 6)
            await anyio.to_thread.run_sync(deployment.stop)
    assert sum(proxy.harmed[harm] for proxy in proxies.values()) > 0
    return took_s


async def moved(url: str, workflow_ids: list[str]) -> None:
    """Wait until a result of each was claimed, done, handed in, received and applied."""
    async with opened(Settings(url=url)) as container:
        with anyio.fail_after(60):
            while True:
                evidence = await gather(container.backend().store, workflow_ids)
                if all(len(one.log) > 1 for one in evidence):
                    return
                await anyio.sleep(0.1)


async def finished(submitter: Submitter, workflows: int) -> None:
    """Wait until so many have completed."""
    with anyio.fail_after(60):
        while await submitter.completed() < workflows:  # noqa: ASYNC110 - over a connection
            await anyio.sleep(0.1)


async def test_nothing_is_lost_or_done_twice_over_lossy_lines(tmp_path: Path) -> None:
    outcome = await survived(tmp_path, 100, "?socket_timeout=1.5")
    sys.stdout.write(f"{outcome}\n")
    assert (outcome.violations, outcome.acknowledged) == ([], 100)
    assert set(outcome.harmed) == set(Harm)
    assert outcome.longest_pause_s < CONSUMING_AGAIN_S
