"""1,000 workflows while a twentieth of all traffic with Redis comes to harm."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stagewright.testing.proxy import Harm
from tests.faults.test_lossy_redis import CONSUMING_AGAIN_S, resumed, survived


async def test_a_thousand_workflows_over_lossy_lines(tmp_path: Path) -> None:
    outcome = await survived(tmp_path, 1_000)
    sys.stdout.write(f"{outcome}\n")
    assert (outcome.violations, outcome.acknowledged) == ([], 1_000)
    assert set(outcome.harmed) == set(Harm)
    assert outcome.longest_pause_s < CONSUMING_AGAIN_S


@pytest.mark.parametrize("harm", Harm)
async def test_after_a_harm_of_all_connections_work_goes_on(tmp_path: Path, harm: Harm) -> None:
    took_s = await resumed(tmp_path, harm)
    sys.stdout.write(f"{harm.value}: {took_s:.1f} s\n")
    assert took_s < CONSUMING_AGAIN_S
