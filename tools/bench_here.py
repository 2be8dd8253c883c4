"""Measure this machine: SQLite, and a Redis of our own, three times each; print the medians.

    tools/bench_here.py [WORKFLOWS]

The server appends to its file and syncs it every second. Nothing is left behind.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagewright.testing.servers import RedisServer

RUNS = 3
FIGURES = ("stages_per_s", "p50_ms", "p99_ms", "cpu_us_per_stage")
STAGEWRIGHT = Path(sys.executable).with_name("stagewright")


def measure(url: str, workflows: str) -> Mapping[str, Any]:
    """Run the benchmark once, as a user would."""
    command = [str(STAGEWRIGHT), "bench", "--url", url, "--workflows", workflows, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def row(name: str, url: str, workflows: str) -> str:
    """Return one line: the median of each figure, and what it was measured on."""
    reports = [measure(url, workflows) for _ in range(RUNS)]
    medians = [statistics.median(report[figure] for report in reports) for figure in FIGURES]
    memory = max(sum(report["rss_bytes"].values()) for report in reports) >> 20
    figures = "".join(f"{value:>18,.1f}" for value in medians)
    return f"{name:<8}{figures}{memory:>10}  {reports[0]['durability']}, {reports[0]['topology']}"


def main() -> None:
    """Print the table."""
    workflows = sys.argv[1] if len(sys.argv) > 1 else "2000"
    heads = "".join(f"{figure:>18}" for figure in FIGURES)
    print(f"{'':<8}{heads}{'rss MiB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        print(row("sqlite", f"sqlite:///{folder}/state.db", workflows), flush=True)
    with RedisServer(appendonly="everysec") as server:
        print(row("redis", server.url, workflows), flush=True)


if __name__ == "__main__":
    main()
