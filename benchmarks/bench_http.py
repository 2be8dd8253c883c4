"""Measures the HTTP interface: starts a second, and the first page of many workflows.

    python -m benchmarks.bench_http --seconds 10 --connections 32
    python -m benchmarks.bench_http --pages 100000

One server process (`stagewright serve`) beside one Redis; the clients keep their connections.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import uvloop

from stagewright.adapters.system.clock import SystemClock
from stagewright.application.catalog import Catalog
from stagewright.application.stepper import index_entry
from stagewright.domain.parsing import parse_definition
from stagewright.domain.snapshot import encode_state
from stagewright.domain.workflow import SignalWait, Status, WorkflowState
from stagewright.entrypoints.container import backend_opener
from stagewright.ports.backend import BackendOptions
from stagewright.ports.commit import Commit
from stagewright.testing.servers import RedisServer

TOKEN = "bench-token"  # noqa: S105 - of a server that lives for seconds
DEFINITION = {
    "name": "bench",
    "stages": [{"name": "build", "agent": "build"}],
}
STANDING = {
    "name": "standing",
    "stages": [{"name": "later", "kind": "wait", "signal": "go"}],
}
STARTED_S = 30.0
LOOKS = 15


@contextmanager
def serving(url: str) -> Iterator[int]:
    """Run a server process; yield its port."""
    environment = {**os.environ, "STAGEWRIGHT_TOKEN": TOKEN}
    command = [
        str(Path(sys.executable).with_name("stagewright")),
        *("serve", "--url", url, "--port", str(free_port()), "--json"),
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield int(re.findall(r"127\.0\.0\.1:(\d+)", _line_with(child, "address"))[-1])
        finally:
            child.terminate()
            child.wait(timeout=20)


def _line_with(child: subprocess.Popen[str], word: str) -> str:
    if child.stdout is None:
        raise RuntimeError("no output")
    for line in child.stdout:
        if word in line:
            return line
    raise RuntimeError("the server did not come up")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it has an answer."""

    def __init__(self, request: bytes, end_s: float, took: list[float]) -> None:
        self._request, self._end_s, self._took = request, end_s, took
        self._begin, self._buffer = 0.0, b""
        self.done = asyncio.get_running_loop().create_future()
        self.wrong: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def _ask(self) -> None:
        self._begin = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read an answer whole, then ask again until the time is over."""
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
        if len(body) < length:
            return
        self._took.append(time.perf_counter() - self._begin)
        if not head.startswith(b"HTTP/1.1 20"):
            self.wrong.append(self._buffer[:300])
        self._buffer = b""
        if time.perf_counter() < self._end_s:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)


def request(port: int, method: str, path: str, body: bytes = b"") -> bytes:
    """Return a request as it is sent."""
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def hammer(port: int, ask: bytes, seconds: float, connections: int) -> list[float]:
    """Return how long each answer took."""
    took: list[float] = []
    end_s = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(ask, end_s, took), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    wrong = [answer for client in clients for answer in client.wrong]
    if wrong:
        raise RuntimeError(f"{len(wrong)} wrong answers: {wrong[0]!r}")
    return took


def say(what: str, took: Sequence[float], seconds: float) -> None:
    """Print a rate with its delays."""
    ordered = sorted(took)
    p99 = ordered[int(len(ordered) * 0.99)] * 1_000
    p50 = statistics.median(ordered) * 1_000
    print(f"{what}: {len(took) / seconds:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")


async def starts(url: str, seconds: float, connections: int) -> None:
    """Measure starts over HTTP."""
    with serving(url) as port:
        register = orjson.dumps({"definition": DEFINITION})
        await hammer(port, request(port, "POST", "/api/v1/definitions", register), 0, 1)
        body = orjson.dumps({"type": "bench", "input": {"n": 1}, "labels": {"team": "web"}})
        ask = request(port, "POST", "/api/v1/workflows", body)
        await hammer(port, ask, 1.0, connections)
        say("POST /workflows", await hammer(port, ask, seconds, connections), seconds)


async def fill(url: str, count: int) -> None:
    """Put workflows straight into the store: what a page shows is what stands there."""
    clock = SystemClock()
    async with backend_opener(url)(url, BackendOptions(), clock) as backend:
        entry = await Catalog(backend.registry, clock).register(parse_definition(STANDING), ())
        now_ms = clock.now_ms()
        for first in range(0, count, 500):
            numbers = range(first, min(first + 500, count))
            batch = [commit(number, backend.partitions, entry.hash, now_ms) for number in numbers]
            await backend.store.commit(batch, now_ms)


def commit(number: int, partitions: int, definition: str, now_ms: int) -> Commit:
    """Return a workflow as it stands: one of each status in turn."""
    status, at_ms = list(Status)[number % 6], now_ms - 200_000 + number
    state = WorkflowState(
        workflow_id=f"p{number % partitions:02d}-{number:032x}",
        definition=definition,
        name="standing",
        version="1.0.0",
        status=status,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
        priority=2,
        step=1,
        step_id=f"{number:032x}",
        regions={"": "complete" if status.terminal else "later"},
        labels={"team": ("web", "ops")[number % 2]},
        awaiting={} if status.terminal else {"later": SignalWait(1, at_ms, "go", None)},
    )
    return Commit(
        state.workflow_id, None, state.step_id, encode_state(state), index=index_entry(state)
    )


PAGES = {
    "first page": "",
    "first page of two statuses": "?status=failed&status=waiting",
    "first page of a label and a status": "?label=team%3Dweb&status=running",
    "count of a label": "/count?label=team%3Dweb",
}


async def pages(url: str, count: int) -> None:
    """Measure the first page of many workflows."""
    began = time.perf_counter()
    await fill(url, count)
    print(
        f"{count:,} workflows put into {url.partition(':')[0]} "
        f"in {time.perf_counter() - began:.0f} s"
    )
    with serving(url) as port:
        for what, query in PAGES.items():
            ask = request(port, "GET", f"/api/v1/workflows{query}")
            took = [(await hammer(port, ask, 0, 1))[0] * 1_000 for _ in range(LOOKS)]
            print(f"  {what}: p50 {statistics.median(took):.1f} ms, worst {max(took):.1f} ms")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--pages", type=int, default=0)
    parser.add_argument("--sqlite", action="store_true", help="a file instead of Redis")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RedisServer(appendonly="everysec") as server:
        url = f"sqlite:///{folder}/state.db" if given.sqlite else server.url
        if given.pages:
            uvloop.run(pages(url, given.pages))
        else:
            uvloop.run(starts(url, given.seconds, given.connections))


if __name__ == "__main__":
    main()
