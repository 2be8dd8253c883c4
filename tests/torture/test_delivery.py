"""Joins of a thousand branches, in small batches and decided by many runners; 500 pauses."""

from __future__ import annotations

import random
from typing import Any

import pytest

from stagewright.testing.faults import Harm, Moment
from tests.faults.crashes import crashed_at
from tests.faults.joining import joining
from tests.faults.test_crash_sweep import memory
from tests.faults.test_delivery import SEED, delivered, survived_join
from tests.faults.test_stale_holders import Deciding, Served, paused


async def test_a_join_read_in_small_batches_by_one_who_is_careful() -> None:
    await survived_join(batch=250)


@pytest.mark.parametrize(("harm", "moment"), [("kill", "after"), ("stall", "before")])
async def test_a_join_of_a_thousand_that_many_runners_decide(harm: Harm, moment: Moment) -> None:
    chance = random.Random(f"{SEED} {harm} {moment}")
    numbers = [number for number in range(1, 20_000) if chance.random() < 0.01]
    run = await crashed_at(memory, *numbers, moment=moment, harm=harm, kind=joining(1_000))
    assert run.violations == [], run.hits
    assert run.hits


@pytest.mark.parametrize("seed", range(SEED, SEED + 50))
async def test_repeated_and_shuffled_results_lead_to_the_same_ends(seed: int) -> None:
    assert await delivered(random.Random(seed)) == await delivered(None)


@pytest.mark.parametrize("kind", [Deciding, Served])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_five_hundred_pauses_of_each_kind_write_nothing(kind: Any, moment: Moment) -> None:
    assert (await paused(kind, 500, moment)).refused > 0
