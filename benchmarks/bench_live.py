"""`make bench-live`: thousands of readers of live events, of which some stall, on one server.

Prints memory for each reader, how late the healthy ones hear of a commit, and how many of those
that stalled were let go of. Fails when a goal is missed; ends by itself after about two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.tables import plain
from stagewright.domain.builder import Workflow, wait
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.settings import ENV_PREFIX
from stagewright.testing.servers import RedisServer

TOKEN = "bench-live"  # noqa: S105 - of a server on loopback that lives for a minute
MOST_KB, MOST_S = 60.0, 1.0
STEPS_PER_S = 10
LOAD_S = 60.0
LOG = "server.log"
AT = re.compile(rb'"at_ms":(\d+)')


class Reader(asyncio.Protocol):
    """Reads a stream and notes how late each event came; or stalls after the first answer."""

    late_ms: list[float] = []  # noqa: RUF012 - of all readers together
    opened = 0

    def __init__(self, request: bytes, *, stalls: bool) -> None:
        self._request, self._stalls, self._heard = request, stalls, False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take in what happened."""
        if not self._heard:
            self._heard = True
            Reader.opened += 1
            if self._stalls:
                self._transport.pause_reading()
            return
        now_ms = time.time() * 1000
        Reader.late_ms += [now_ms - int(at_ms) for at_ms in AT.findall(data)]


async def connect(address: str, count: int, *, stalls: bool) -> list[Any]:
    """Open streams, fifty at a time."""
    place = urlsplit(address)
    request = (
        f"GET /api/v1/events HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n"
    ).encode()
    found, loop = [], asyncio.get_running_loop()
    for _ in range(count):
        before = Reader.opened
        line = socket.socket()
        if stalls:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect((place.hostname or "", place.port or 0))
        line.setblocking(False)  # noqa: FBT003 - as sockets have it
        made = await loop.create_connection(lambda: Reader(request, stalls=stalls), sock=line)
        found.append(made)
        while len(found) % 50 == 0 and Reader.opened < before:  # noqa: ASYNC110 - counted
            await asyncio.sleep(0.01)
    return found


def rss_kb(pid: int) -> float:
    """Return the memory of a process in kilobytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1000


async def load(url: str) -> int:
    """Take steps of many workflows at a steady pace; return how many."""
    begun, steps = time.monotonic(), 0
    async with Stagewright(url) as client:
        await client.register(Workflow("bench", wait("until", signal="go")).data())
        ids = [(await client.start("bench")).workflow_id for _ in range(50)]
        while (now := time.monotonic()) < begun + LOAD_S:
            id_ = ids[steps // 2 % len(ids)]
            await (client.resume if steps % 2 else client.pause)(id_, by="bench")
            steps += 1
            await asyncio.sleep(max(0.0, begun + steps / STEPS_PER_S - now))
    return steps


async def measure(readers: int, stalled: int, pid: int, address: str, url: str) -> dict[str, float]:
    """Return all figures."""
    lines = await connect(address, 10, stalls=False)
    empty = rss_kb(pid)
    lines += await connect(address, readers - stalled - 10, stalls=False)
    lines += await connect(address, stalled, stalls=True)
    while Reader.opened < readers:  # noqa: ASYNC110 - counted by connections
        await asyncio.sleep(0.1)
    connected, peak = rss_kb(pid), 0.0
    # In a process of its own: readers that are busy would hold the commits up.
    loading = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bench_live", "--load", url
    )
    while loading.returncode is None:
        peak = max(peak, rss_kb(pid))
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    late = sorted(Reader.late_ms)
    for transport, _ in lines:
        transport.abort()
    return {
        "kB per reader, connected": (connected - empty) / (readers - 10),
        "kB per reader, peak": (peak - empty) / (readers - 10),
        "events heard": len(late),
        "p50 s": late[len(late) // 2] / 1000,
        "p99 s": late[len(late) * 99 // 100] / 1000,
        "stalled": stalled,
    }


def started(url: str, folder: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server with a door; return it and its address."""
    environment = {**os.environ, f"{ENV_PREFIX}URL": url, f"{ENV_PREFIX}TOKEN": TOKEN}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("stagewright")), "serve", "--port", str(port)]
    with (Path(folder) / LOG).open("wb") as words:
        server = subprocess.Popen(
            [*command, "--json"],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=words,
        )
    line = server.stdout.readline() if server.stdout else b""
    return server, str(json.loads(line)["address"])


def main() -> int:
    """Measure and print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="make bench-live", description=__doc__)
    parser.add_argument("--readers", type=int, default=2_000)
    parser.add_argument("--stalled", type=int, default=100)
    parser.add_argument("--load", default="", metavar="URL", help="only take steps there")
    chosen = parser.parse_args()
    if chosen.load:
        return 0 if uvloop.run(load(chosen.load)) else 1
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with RedisServer(appendonly="everysec") as redis, tempfile.TemporaryDirectory() as folder:
        server, address = started(redis.url, folder)
        try:
            work = measure(chosen.readers, chosen.stalled, server.pid, address, redis.url)
            found = uvloop.run(work)
        finally:
            server.terminate()
            server.wait(30)
        # A reader that does not read does not see either that it was let go of: the server says so.
        found["let go of"] = (Path(folder) / LOG).read_text("utf-8").count("reader_stalled")
    print(plain(("what", "measured"), [(name, f"{value:,.3f}") for name, value in found.items()]))
    met = found["kB per reader, connected"] <= MOST_KB and found["p99 s"] <= MOST_S
    return 0 if met and found["let go of"] >= chosen.stalled else 1


if __name__ == "__main__":
    sys.exit(main())
