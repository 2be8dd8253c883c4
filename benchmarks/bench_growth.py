"""`make bench-growth`: what a stage costs as workflows, logs, payloads, partitions grow.

Leaves build/growth/growth.csv, where sweeps that are not run again keep their points; with --write
also the plot and the tables in docs/.
"""

from __future__ import annotations

import argparse
import csv
import math
import signal
import sys
import time
from collections.abc import Sequence

import uvloop

from benchmarks.bench_peers import end_kindly
from benchmarks.chart import Dots, Panel, svg
from benchmarks.growth import SWEEPS, Limits, Point, Sweep
from benchmarks.install import ROOT
from benchmarks.machine import description
from benchmarks.rounds import CONTENDED_CORES
from benchmarks.scale import costs
from benchmarks.scale import table as scale_table
from benchmarks.slopes import exponent
from benchmarks.tables import figure, markdown, plain, replace_between
from stagewright.domain.errors import StagewrightError

BUILD = ROOT / "build" / "growth"
TABLE = BUILD / "growth.csv"
SCALE_PAGE = ROOT / "docs" / "explanation" / "scale.md"
PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks" / "growth.svg"
HEAD = ("what grows", "backend", "size", "stages/s", "CPU µs/stage", "p50 ms", "cold read ms")
SLOPES_HEAD = ("what grows", "backend", "from", "to", "exponent of CPU", "of stages/s", "of p50")
DRAWN = ("cpu_us_per_stage", "stages_per_s", "p50_ms")
DRAWN_TITLES = {"cpu_us_per_stage": "CPU µs/stage", "stages_per_s": "stages/s", "p50_ms": "p50 ms"}


async def measured(sweeps: Sequence[Sweep], limits: Limits) -> list[Point]:
    """Run the sweeps one after the other; say each point as it comes."""
    points: list[Point] = []
    for sweep in sweeps:
        try:
            async for point in sweep.points(limits):
                print("  ".join(cells(point)), file=sys.stderr, flush=True)
                points.append(point)
        except (StagewrightError, OSError, ExceptionGroup) as error:  # the others still count
            print(f"{sweep.name} ended early: {error}", file=sys.stderr, flush=True)
    return points


def cells(point: Point) -> list[str]:
    """Return one line of the table, marked when the machine was not quiet."""
    mark = " *" if point.figures.foreign_cores > CONTENDED_CORES else ""
    return [
        names()[point.sweep] + mark,
        point.backend,
        f"{point.x:,}",
        figure(point.figures.stages_per_s),
        figure(point.figures.cpu_us_per_stage),
        figure(point.figures.p50_ms, 2),
        figure(point.figures.cold_ms, 2),
    ]


def names() -> dict[str, str]:
    """Return what grows in each sweep."""
    return {sweep.name: sweep.grows for sweep in SWEEPS}


def lines_of(points: Sequence[Point], sweep: str, name: str) -> dict[str, Dots]:
    """Return the dots of one figure in one sweep, by backend."""
    found: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        value = getattr(point.figures, name)
        if point.sweep == sweep and not math.isnan(value) and value > 0:
            found.setdefault(point.backend, []).append((float(point.x), value))
    return dict(found)


def slopes(points: Sequence[Point]) -> list[list[str]]:
    """Return the fitted exponents, one line for each sweep and backend."""
    rows = []
    for sweep in SWEEPS:
        curves = {name: lines_of(points, sweep.name, name) for name in DRAWN}
        for backend, dots in curves["stages_per_s"].items():
            fitted = [exponent(curves[name].get(backend, [])) for name in DRAWN]
            ends = [f"{dots[0][0]:,.0f}", f"{dots[-1][0]:,.0f}"]
            rows.append([sweep.grows, backend, *ends, *(figure(b, 2) for b in fitted)])
    return rows


def picture(points: Sequence[Point]) -> str:
    """Return the plot: a row of charts for each sweep that was run."""
    run = [sweep for sweep in SWEEPS if any(point.sweep == sweep.name for point in points)]
    return svg(
        [
            [
                Panel(DRAWN_TITLES[name], sweep.grows, lines_of(points, sweep.name, name))
                for name in DRAWN
            ]
            for sweep in run
        ]
    )


def with_earlier(points: Sequence[Point]) -> list[Point]:
    """Return the points with those of sweeps that were run before, in the sweeps' order."""
    run = {point.sweep for point in points}
    earlier = [point for point in read() if point.sweep not in run]
    places = list(names())
    return sorted([*earlier, *points], key=lambda point: places.index(point.sweep))


def read() -> list[Point]:
    """Return the points that earlier runs left in the build folder."""
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Point.read(row) for row in csv.DictReader(file)]


def keep(points: Sequence[Point]) -> None:
    """Write the table of all points, and the plot, into the build folder."""
    BUILD.mkdir(parents=True, exist_ok=True)
    rows = [point.row() for point in points]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (BUILD / "growth.svg").write_text(picture(points), "utf-8")


def write(points: Sequence[Point]) -> None:
    """Put plot and tables where readers find them."""
    day = time.strftime("%Y-%m-%d", time.localtime(TABLE.stat().st_mtime))
    when = f"Measured {day} on {description()}."
    if any(point.figures.foreign_cores > CONTENDED_CORES for point in points):
        when += " Lines marked * were disturbed by other work on the machine."
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(picture(points), "utf-8")
    fitted = f"{when}\n\n{markdown(SLOPES_HEAD, slopes(points))}"
    table = markdown(HEAD, [cells(point) for point in points])
    replace_between(PAGE, "slopes", fitted)
    replace_between(PAGE, "growth", table)
    if cost := costs(points):
        replace_between(SCALE_PAGE, "scale", f"{when}\n\n{scale_table(cost)}")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-growth", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="sweeps, comma separated")
    parser.add_argument("--big", action="store_true", help="up to 100,000 live workflows")
    parser.add_argument("--small", action="store_true", help="a minute's worth, to see it work")
    parser.add_argument("--write", action="store_true", help="put plot and tables into docs/")
    parser.add_argument("--report", action="store_true", help="measure nothing: use build/")
    return parser.parse_args()


def chosen(only: str) -> list[Sweep]:
    """Return the sweeps that are asked for; all for none."""
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    if unknown := wanted - set(names()):
        sys.exit(f"error: no sweep {', '.join(unknown)}; there are: {', '.join(names())}")
    return [sweep for sweep in SWEEPS if not wanted or sweep.name in wanted]


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Return how far the sweeps go."""
    if arguments.small:
        return Limits(live=100, events=1_000, workflows=100, idle=5)
    return Limits(live=100_000) if arguments.big else Limits()


def main() -> None:
    """Measure, print, keep."""
    arguments = parsed()
    signal.signal(signal.SIGTERM, end_kindly)
    if arguments.report:
        points = read()
    else:
        new = uvloop.run(measured(chosen(arguments.only), limits_of(arguments)))
        keep(points := with_earlier(new))
    print(plain(HEAD, [cells(point) for point in points]))
    print()
    print(plain(SLOPES_HEAD, slopes(points)))
    if arguments.write:
        write(points)


if __name__ == "__main__":
    main()
