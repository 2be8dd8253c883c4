"""Fail when the decisions of this project are not tested well enough.

    tools/coverage_gate.py unit contracts

Joins what these tiers of tools/run_tiers.py recorded and looks at the layers that decide.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tiers"
GATED_LAYERS = ("domain", "application")
GATE_PERCENT = 95.0


def joined(tiers: Iterable[str]) -> dict[str, Any]:
    """Return coverage.py's JSON report over the data files of `tiers`."""
    data = f"--data-file={REPORTS / '.coverage'}"
    report = REPORTS / "coverage.json"
    parts = [str(REPORTS / f".coverage.{tier}") for tier in tiers]
    for arguments in (
        ("combine", "--keep", "-q", data, *parts),
        ("json", "-q", data, "-o", str(report)),
        ("html", "-q", data, "-d", str(REPORTS / "html")),
    ):
        command = (sys.executable, "-m", "coverage", *arguments)
        if subprocess.run(command, check=False, cwd=ROOT).returncode:
            sys.exit("no coverage to judge: run the tiers unit and contracts first")
    return dict(orjson.loads(report.read_bytes()))


def files_of(layer: str, report: Mapping[str, Any]) -> dict[str, Mapping[str, int]]:
    """Return the summaries of the files of `layer`, by path."""
    inside = f"src/stagewright/{layer}/"
    return {
        path: file["summary"] for path, file in report["files"].items() if path.startswith(inside)
    }


def percent(summaries: Iterable[Mapping[str, int]], covered: str, all_: str) -> float:
    """Return the sum of `covered` as a percentage of the sum of `all_`; 100 when there is none."""
    rows = list(summaries)
    total = sum(row[all_] for row in rows)
    return 100.0 * sum(row[covered] for row in rows) / total if total else 100.0


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """Print the figures of each gated layer; return a sentence for each one below the gate."""
    complaints = []
    for layer in GATED_LAYERS:
        summaries = files_of(layer, report)
        for what, covered, all_ in (
            ("branches", "covered_branches", "num_branches"),
            ("lines", "covered_lines", "num_statements"),
        ):
            reached = percent(summaries.values(), covered, all_)
            print(f"{layer:<12}{what:<9}{reached:6.1f} % of at least {GATE_PERCENT:.0f} %")
            if not summaries or reached < GATE_PERCENT:
                complaints.append(f"{layer}: {what} covered {reached:.1f} %")
    return complaints


def weakest(report: Mapping[str, Any], count: int = 8) -> list[str]:
    """Return lines about the gated files that miss the most branches and lines."""
    rows = [
        (row["missing_branches"] + row["missing_lines"], path)
        for layer in GATED_LAYERS
        for path, row in files_of(layer, report).items()
    ]
    return [f"  {missing:>4} missing  {path}" for missing, path in sorted(rows)[::-1][:count]]


def main() -> int:
    """Judge the tiers named on the command line; return 0 when every layer reaches the gate."""
    report = joined(sys.argv[1:])
    complaints = shortfalls(report)
    if not complaints:
        return 0
    print(f"below {GATE_PERCENT:.0f} %:", "; ".join(complaints))
    print("most is missing here (lines in build/tiers/html):", *weakest(report), sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
