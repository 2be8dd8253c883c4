from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.bench_growth import picture, slopes
from benchmarks.bench_memory import cells
from benchmarks.growth import SWEEPS, Point
from benchmarks.memory import Figure
from benchmarks.site import Figures
from benchmarks.slopes import exponent
from benchmarks.tables import figure, markdown, plain, replace_between

ROOT = Path(__file__).resolve().parents[3]
SPACE = "{http://www.w3.org/2000/svg}"


def points(sweep: str, backend: str, power: float) -> list[Point]:
    return [
        Point(sweep, backend, x, Figures(1_000.0, 50 * x**power, 3.0, 4.0, 0.0))
        for x in (1, 10, 100)
    ]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, -0.3])
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    dots = [(x, 7 * x**power) for x in (1.0, 10.0, 100.0, 1_000.0)]
    assert exponent(dots) == pytest.approx(power)


def test_one_size_has_no_exponent() -> None:
    assert math.isnan(exponent([(1.0, 2.0), (1.0, 3.0), (5.0, 0.0)]))


def test_each_sweep_gets_its_exponents_by_backend() -> None:
    found = slopes([*points("standing", "redis", 0.5), *points("standing", "sqlite", 0.0)])
    assert found == [
        ["other live workflows", "redis", "1", "100", "0.50", "0.00", "0.00"],
        ["other live workflows", "sqlite", "1", "100", "0.00", "0.00", "0.00"],
    ]


def test_the_plot_has_a_line_and_dots_for_each_backend_of_each_panel() -> None:
    drawn = [*points("standing", "redis", 0.5), *points("partitions", "redis", 0.0)]
    root = ET.fromstring(picture([*drawn, *points("standing", "sqlite", 0.1)]))
    assert len(root.findall(f".//{SPACE}polyline")) == 9
    assert len(root.findall(f".//{SPACE}circle")) == 27
    words = {text.text for text in root.iter(f"{SPACE}text")}
    assert {"redis", "sqlite", "other live workflows", "partitions"} <= words


def test_dots_lie_where_their_values_are() -> None:
    root = ET.fromstring(picture(points("standing", "redis", 1.0)))
    first = root.find(f".//{SPACE}polyline")
    assert first is not None
    corners = [corner.split(",") for corner in first.attrib["points"].split()]
    across = [float(x) for x, _ in corners]
    up = [float(y) for _, y in corners]
    assert across == sorted(across)
    assert up == sorted(up, reverse=True)
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)


def test_text_between_marks_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    replace_between(page, "a", "new")
    replace_between(page, "a", "newer")
    assert page.read_text() == "before\n<!-- a: begin -->\nnewer\n<!-- a: end -->\nafter\n"
    with pytest.raises(ValueError, match=r"page\.md does not have the marks"):
        replace_between(page, "b", "new")


@pytest.mark.parametrize("mark", ["peers", "slopes", "growth", "memory"])
def test_the_page_of_benchmarks_has_the_marks_that_are_filled(mark: str) -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert text.count(f"<!-- {mark}: begin -->") == text.count(f"<!-- {mark}: end -->") == 1


def test_tables_are_written_for_terminals_and_for_pages() -> None:
    assert plain(("a", "bb"), [("long", "1")]) == "a     bb\nlong  1"
    assert markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert [figure(1234.56), figure(0.5, 2), figure(math.nan)] == ["1,235", "0.50", "-"]


def test_a_figure_stands_beside_its_goal() -> None:
    assert cells(Figure("weight", 12.5, "MiB", 20)) == [
        "weight",
        "12.50 MiB",
        "at most 20 MiB",
        "met",
    ]
    assert cells(Figure("weight", 25, "MiB", 20))[3] == "missed"
    assert cells(Figure("count", 3_000, "")) == ["count", "3,000", "-", ""]


def test_sweeps_have_names_of_their_own() -> None:
    assert len({sweep.name for sweep in SWEEPS}) == len(SWEEPS)
