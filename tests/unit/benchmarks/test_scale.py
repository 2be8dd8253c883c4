from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import bench_growth
from benchmarks.growth import Point
from benchmarks.scale import Costs, busiest_share, costs, project, table
from benchmarks.site import Figures


def point(partitions: int, cpu_us: float, server_us: float = 50.0) -> Point:
    figures = Figures(1_000.0, cpu_us, 3.0, math.nan, 0.1, server_us)
    return Point("partitions", "redis", partitions, figures)


def test_costs_are_those_at_the_default_number_of_partitions() -> None:
    found = costs([point(1, 100), point(4, 200), point(16, 400)])
    assert found == Costs(200, 50, pytest.approx(0.5))


def test_a_cost_that_falls_is_not_carried_on() -> None:
    found = costs([point(1, 400), point(4, 200)])
    assert found is not None
    assert found.growth == 0


@pytest.mark.parametrize("points", [[], [point(8, 100)], [point(4, 100, math.nan)]])
def test_without_the_sweep_there_are_no_costs(points: list[Point]) -> None:
    assert costs(points) is None


def test_one_shard_has_its_fair_share_and_many_are_uneven() -> None:
    assert busiest_share(8, 1) == 1
    assert 1 < busiest_share(80, 10) < 2


def test_shards_add_up_but_for_the_busiest() -> None:
    one, ten = (project(shards, Costs(150, 50, 0)) for shards in (1, 10))
    assert one.stages_per_s == pytest.approx(600_000 / 50)
    assert ten.stages_per_s == pytest.approx(10 * one.stages_per_s / ten.busiest)
    assert one.cores_beside == pytest.approx(100 * one.stages_per_s / 1e6)
    assert ten.stages_per_s_grown == ten.stages_per_s


def test_a_growing_cost_takes_its_part() -> None:
    one = project(1, Costs(150, 50, 0.5))
    assert one.stages_per_s_grown == pytest.approx(one.stages_per_s / math.sqrt(2))
    assert "to the power of 0.50" in table(Costs(150, 50, 0.5))


def test_a_sweep_that_is_run_again_replaces_its_own_points_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_growth, "BUILD", tmp_path)
    monkeypatch.setattr(bench_growth, "TABLE", tmp_path / "growth.csv")
    other = Point("standing", "sqlite", 10, Figures(5.0, 6.0, 7.0, 8.0, 0.0))
    bench_growth.keep([other, point(1, 100), point(2, 100)])
    found = bench_growth.with_earlier([point(1, 300)])
    assert [(one.sweep, one.x) for one in found] == [("standing", 10), ("partitions", 1)]
    assert found[0].figures.p50_ms == 7.0
    assert math.isnan(found[0].figures.cold_ms)
    assert found[1].figures.cpu_us_per_stage == 300
