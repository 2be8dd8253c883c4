"""`make bench-memory`: 100,000 workflows that wait, on Redis: memory, restart, scans.

Prints each figure beside its goal, leaves them in build/, and with --write puts them into
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict

import uvloop

from benchmarks.bench_peers import PAGE, end_kindly
from benchmarks.install import ROOT
from benchmarks.machine import description
from benchmarks.memory import Figure, measure
from benchmarks.tables import figure, markdown, plain, replace_between

BUILD = ROOT / "build" / "memory"
HEAD = ("what", "measured", "goal", "")


def cells(one: Figure) -> list[str]:
    """Return one line of the table."""
    shown = figure(one.value, 0 if one.value >= 100 else 2)
    if one.goal is None:
        return [one.name, f"{shown} {one.unit}".strip(), "-", ""]
    verdict = "met" if one.value <= one.goal else "missed"
    return [one.name, f"{shown} {one.unit}", f"at most {one.goal:,.0f} {one.unit}", verdict]


def write(figures: Sequence[Figure]) -> None:
    """Put the table where readers find it."""
    when = f"Measured {time.strftime('%Y-%m-%d')} on {description()}."
    table = markdown(HEAD, [cells(one) for one in figures])
    replace_between(PAGE, "memory", f"{when}\n\n{table}")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-memory", description=__doc__)
    parser.add_argument("--waiting", type=int, default=100_000, help="workflows at rest")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    return parser.parse_args()


def main() -> None:
    """Measure, print, keep."""
    arguments = parsed()
    signal.signal(signal.SIGTERM, end_kindly)
    BUILD.mkdir(parents=True, exist_ok=True)
    figures = uvloop.run(measure(arguments.waiting, BUILD))
    kept = json.dumps([asdict(one) for one in figures], indent=1)
    (BUILD / "memory.json").write_text(kept, "utf-8")
    print(plain(HEAD, [cells(one) for one in figures]))
    if arguments.write:
        write(figures)


if __name__ == "__main__":
    main()
