"""Holders of leases that hang until their leases have run out, and then go on as if nothing was."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import Any

import pytest

from stagewright.application.runner_presence import Identity
from stagewright.testing.faults import Moment
from tests.faults.crashes import crashed_at
from tests.faults.served import DecidingScene, ServedScene
from tests.faults.test_crash_sweep import memory

PAUSES = 250
PER_CALL = 0.06


class Deciding(DecidingScene):
    """Whoever takes over has the name of whoever hangs: a process that was restarted."""

    identity = Identity("the-one")


class Served(ServedScene):
    """The same with results that go through the inbox."""

    identity = Identity("the-one")


@dataclass
class Paused:
    """How often holders hung, and what they could do afterwards."""

    pauses: int = 0
    refused: int = 0


async def paused(kind: Any, pauses: int, moment: Moment) -> Paused:
    """Let runners hang at random calls, many a run, until there were enough pauses."""
    done = Paused()
    for seed in itertools.count():
        chance = random.Random(f"{kind.__name__} {moment} {seed}")
        numbers = [number for number in range(1, 600) if chance.random() < PER_CALL]
        run = await crashed_at(memory, *numbers, moment=moment, harm="stall", kind=kind)
        assert run.violations == [], f"seed {seed}, {run.hits}"
        done.pauses += sum(hit.startswith("runner ") for hit in run.hits)
        done.refused += run.refused
        if done.pauses >= pauses:
            return done
    raise AssertionError


@pytest.mark.parametrize("kind", [Deciding, Served])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_who_hung_beyond_its_lease_writes_nothing(kind: Any, moment: Moment) -> None:
    done = await paused(kind, PAUSES // 2, moment)
    assert done.pauses >= PAUSES // 2
    assert done.refused > 0  # they did try
