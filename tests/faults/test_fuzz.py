"""Strangers fill the inboxes: each message finds its end, with a reason, and nobody stumbles."""

from __future__ import annotations

import gc
import os
import random
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from stagewright.adapters import memory, redis, sqlite
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.envelope import EnvelopeRejected, parse_envelope
from stagewright.entrypoints.collector import relax_collector
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.testing.servers import RedisServer
from tests.faults.fuzzing import CHUNK, Pauses, Target
from tests.faults.mutations import Mutator

SEED = int(os.environ.get("FUZZ_SEED", "20261122"))
PAUSE_S = 0.3
"""A stall of a whole batch takes seconds; the time of a shared machine's processor is no exact one.

The densest 256 kB that fit into one envelope take 20 to 50 ms.
"""
GROWTH_KB = 128 * 1024
OPTIONS = BackendOptions(partitions=2)


@dataclass
class Fuzzed:
    """What became of all messages."""

    fates: Counter[str]
    letters: int
    problems: list[str]
    longest_pause_s: float
    growth_kb: int
    """Of the most memory ever held, after the first fifth."""


@asynccontextmanager
async def opened(place: str, folder: Path) -> AsyncIterator[Backend]:
    """Open an empty backend of a kind."""
    if place == "memory":
        async with memory.open_backend("memory://", OPTIONS, SystemClock()) as backend:
            yield backend
    elif place == "sqlite":
        url = f"sqlite:///{folder / 'state.db'}"
        async with sqlite.open_backend(url, OPTIONS, SystemClock()) as backend:
            yield backend
    else:
        with RedisServer() as server:
            async with redis.open_backend(server.url, OPTIONS, SystemClock()) as backend:
                yield backend


@contextmanager
def collecting_as_servers_do() -> Iterator[None]:
    """What the tests' own process holds must not be walked through while pauses are measured."""
    before = gc.get_threshold()
    relax_collector()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


async def fuzzed(place: str, folder: Path, count: int) -> Fuzzed:
    """Send so many messages; return what became of them."""
    sys.stdout.write(f"replay with FUZZ_SEED={SEED}\n")
    with collecting_as_servers_do():
        return await _fuzzed(place, folder, count)


async def _fuzzed(place: str, folder: Path, count: int) -> Fuzzed:
    pauses, letters, settled_kb = Pauses(), 0, 0
    async with opened(place, folder) as backend:
        target = Target(backend, SEED)
        async with target.served(), pauses.measured():
            for sent in range(0, count, CHUNK):
                await target.attack(CHUNK)
                letters += await target.letters()
                if sent <= count // 5:
                    settled_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - settled_kb
    ledger = target.ledger
    return Fuzzed(ledger.fates, letters, ledger.problems, pauses.longest_s, growth_kb)


@pytest.mark.parametrize(
    ("place", "count"), [("memory", 3_000), ("sqlite", 1_000), ("redis", 1_000)]
)
async def test_every_malformed_message_finds_its_end_with_a_reason(
    tmp_path: Path, place: str, count: int
) -> None:
    found = await fuzzed(place, tmp_path, count)
    sys.stdout.write(f"{place}: {found}\n")
    assert found.problems == []
    assert found.fates.total() == count
    assert found.letters == found.fates["dead letter"] > count / 2
    assert found.longest_pause_s < PAUSE_S
    assert found.growth_kb < GROWTH_KB


def test_no_bytes_make_the_parser_fail_in_another_way() -> None:
    chance, mutator = random.Random(SEED), Mutator(SEED)
    rejected = 0
    for _ in range(1_000):
        body = (
            mutator.mutated(EXAMPLE, [EXAMPLE]) if chance.random() < 0.9 else chance.randbytes(50)
        )
        try:
            parse_envelope(body)
        except EnvelopeRejected as error:
            rejected += bool(error.reason and error.field)
    assert rejected > 700


EXAMPLE = (
    b'{"attempt":1,"data":{"errors":[],"outcome":null,"output":{"found":[1.5,null]},"stage":"one",'
    b'"status":"success","usage":{},"workflow_id":"p00-a1"},"id":"e","leasetoken":3,"source":"s",'
    b'"specversion":"1.0","stage":"one","subject":"p00-a1","task":"p00-a1/one/1/1",'
    b'"time":"2026-01-31T12:00:00Z","type":"stagewright.STAGE_RESULT"}'
)
