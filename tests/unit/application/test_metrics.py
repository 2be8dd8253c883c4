from __future__ import annotations

import pytest

from stagewright.application.metrics import BUCKETS, Histogram


def of(*durations_ms: int) -> Histogram:
    histogram = Histogram()
    for duration_ms in durations_ms:
        histogram.observe(duration_ms)
    return histogram


def test_nothing_observed_is_all_zeros() -> None:
    assert of().to_json() == {"count": 0, "sum_ms": 0, "p50_ms": 0, "p99_ms": 0, "buckets": []}


def test_durations_fall_into_doubling_buckets() -> None:
    assert of(0, 1, 2, 3, 4).to_json()["buckets"] == [1, 1, 2, 1]


def test_a_clock_that_is_behind_counts_as_no_time() -> None:
    assert of(-5).to_json() == of(0).to_json()


def test_the_longest_durations_share_the_last_bucket() -> None:
    histogram = of(10**9, 10**12)
    assert histogram.counts[BUCKETS - 1] == 2


@pytest.mark.parametrize(("share", "bound_ms"), [(0.5, 15), (0.9, 15), (0.95, 1_023), (1.0, 1_023)])
def test_a_quantile_is_the_bound_of_its_bucket(share: float, bound_ms: int) -> None:
    assert of(*[10] * 90, *[1_000] * 10).quantile_ms(share) == bound_ms


def test_what_others_observed_adds_up() -> None:
    mine, other = of(1, 100), of(1)
    mine.add(other.counts, other.sum_ms)
    assert mine.to_json() == of(1, 1, 100).to_json()
