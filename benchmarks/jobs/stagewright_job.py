"""Stagewright itself: `stagewright bench` with the number of agent processes given."""

from __future__ import annotations

import json
import os
import sys
import tempfile

import uvloop

from benchmarks.jobs.common import STAGES, ready
from stagewright.entrypoints.bench import BenchOptions, BenchReport, run_bench
from stagewright.entrypoints.settings import Settings


def measure(workflows: int, idle: int) -> BenchReport:
    """Run the job on the Redis that is given, else on a SQLite file; each time from the start."""
    agents = int(os.environ.get("AGENT_PROCESSES", "1"))
    options = BenchOptions(
        workflows=workflows, latency_workflows=idle, agent_processes=agents, limit_s=240.0
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("FOLDER")) as folder:
        url = os.environ.get("REDIS_URL", f"sqlite:///{folder}/state.db")
        return uvloop.run(run_bench(Settings(url=url), options))


def main() -> None:
    """Answer orders until there are no more."""
    ready()
    for line in sys.stdin:
        order, _, count = line.partition(" ")
        if order == "batch":
            report = measure(int(count), 0)
            seconds = int(count) * len(STAGES) / report.stages_per_s
            answer = {"seconds": seconds, "cpu_us_per_stage": report.cpu_us_per_stage}
        else:
            report = measure(10, int(count))
            answer = {"p50_ms": report.p50_ms, "p99_ms": report.p99_ms}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
