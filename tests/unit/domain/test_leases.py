"""What becomes of a task whose lease ran out."""

from __future__ import annotations

import pytest

from stagewright.domain.leases import LeaseFate, fate


@pytest.mark.parametrize(("lost", "expected"), [(0, LeaseFate.REQUEUE), (1, LeaseFate.REQUEUE)])
def test_a_lost_lease_puts_the_task_back(lost: int, expected: LeaseFate) -> None:
    assert fate(2_000, lost, 1_000) is expected


@pytest.mark.parametrize("lost", [2, 3])
def test_three_lost_leases_end_the_attempt(lost: int) -> None:
    assert fate(2_000, lost, 1_000) is LeaseFate.AGENT_LOST


@pytest.mark.parametrize("lost", [0, 5])
def test_a_lease_that_ran_to_its_deadline_is_a_timeout(lost: int) -> None:
    assert fate(1_000, lost, 1_000) is LeaseFate.TIMED_OUT


def test_a_lease_without_a_deadline_cannot_time_out() -> None:
    assert fate(None, 0, 1_000) is LeaseFate.REQUEUE
