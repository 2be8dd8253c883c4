"""What a cluster should carry, calculated from what one machine was measured to do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from redis.crc import key_slot

from benchmarks.growth import Point
from benchmarks.slopes import exponent
from benchmarks.tables import figure, markdown
from stagewright.adapters.redis.keys import PartitionKeys

SHARDS = (1, 3, 10, 100)
PARTITIONS_PER_SHARD = 8
MOST_PARTITIONS = 1_024
FULL = 0.6
"""How busy a server's core may be: beyond that, waiting grows faster than work."""
SLOTS = 16_384
DEFAULT_PARTITIONS = 4
HEAD = (
    "shards",
    "partitions",
    "busiest shard",
    "stages/s, cost as measured",
    "stages/s, cost grown",
    "cores of Redis",
    "cores beside it",
)


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time of one stage at the default number of partitions, and how it grows."""

    all_us: float
    server_us: float
    growth: float
    """Exponent over the number of partitions that each process talks to."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What a number of shards should carry."""

    shards: int
    partitions: int
    busiest: float
    """The share of the busiest shard, as a multiple of the fair one."""
    stages_per_s: float
    stages_per_s_grown: float
    cores_beside: float


def costs(points: Sequence[Point]) -> Costs | None:
    """Read the costs off the sweep over partitions; None when it was not run."""
    swept = [point for point in points if point.sweep == "partitions"]
    usual = next((point for point in swept if point.x == DEFAULT_PARTITIONS), None)
    if usual is None or math.isnan(usual.figures.server_us_per_stage):
        return None
    grown = exponent([(point.x, point.figures.cpu_us_per_stage) for point in swept])
    figures = usual.figures
    growth = 0.0 if math.isnan(grown) else max(0.0, grown)
    return Costs(figures.cpu_us_per_stage, figures.server_us_per_stage, growth)


def busiest_share(partitions: int, shards: int) -> float:
    """Return how many times its fair share the shard with most partitions has.

    Slots are divided evenly, in ranges, as a cluster is created; a partition's keys are all in the
    slot of its tag.
    """
    keys = (PartitionKeys.of("sw", number).marks for number in range(partitions))
    held = Counter(key_slot(key.encode()) * shards // SLOTS for key in keys)
    return max(held.values()) * shards / partitions


def project(shards: int, cost: Costs) -> Projection:
    """Calculate one line of the table."""
    partitions = min(MOST_PARTITIONS, PARTITIONS_PER_SHARD * shards)
    busiest = busiest_share(partitions, shards)
    rate = shards * FULL * 1e6 / cost.server_us / busiest
    dearer = (partitions / DEFAULT_PARTITIONS) ** cost.growth
    beside = (cost.all_us - cost.server_us) * rate / 1e6
    return Projection(shards, partitions, busiest, rate, rate / dearer, beside)


def table(cost: Costs) -> str:
    """Return the projections as Markdown."""
    rows = [
        [
            f"{one.shards:,}",
            f"{one.partitions:,}",
            f"{one.busiest:.2f} x",
            figure(one.stages_per_s),
            figure(one.stages_per_s_grown),
            figure(one.shards),
            figure(one.cores_beside),
        ]
        for one in (project(shards, cost) for shards in SHARDS)
    ]
    basis = (
        f"From {cost.all_us:.0f} µs of processor time for each stage, {cost.server_us:.0f} µs of it"
        f" in Redis, at {DEFAULT_PARTITIONS} partitions; the cost grows with the number of"
        f" partitions to the power of {cost.growth:.2f}."
    )
    return f"{basis}\n\n{markdown(HEAD, rows)}"
