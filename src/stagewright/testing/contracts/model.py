"""Random walks: whatever is done to a backend, the memory reference answers the same."""

from __future__ import annotations

from collections import deque

import pytest

from stagewright.adapters import memory
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import OPTIONS, Harness
from stagewright.testing.contracts.model_moves import WORKFLOWS, Drawer
from stagewright.testing.contracts.model_side import Side

STEPS = 150
LOOK_EVERY = 10
SEEDS = range(6)


class ModelContract:
    """Each answer of a walk, and from time to time all that can be seen, is the reference's."""

    @pytest.mark.parametrize("seed", SEEDS)
    async def test_a_random_walk_meets_what_the_reference_meets(
        self, harness: Harness, clock: VirtualClock, seed: int
    ) -> None:
        drawer, past = Drawer(seed, clock), deque[str](maxlen=12)
        async with memory.open_backend("memory://", OPTIONS, clock) as reference:
            model, side = Side(reference, clock), Side(harness.backend, clock)
            for number in range(1, STEPS + 1):
                move = drawer.draw()
                past.append(f"{number}: {move.text}")
                wanted, found = await move.deed(model), await move.deed(side)
                assert found == wanted, "\n".join(past)
                if number % LOOK_EVERY == 0:
                    wanted, found = await model.look(WORKFLOWS), await side.look(WORKFLOWS)
                    assert found == wanted, "\n".join(past)
