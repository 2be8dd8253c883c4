"""The benchmark: the six-stage job through the production container."""

from __future__ import annotations

from stagewright.entrypoints.bench.run import BenchOptions, BenchReport, run_bench

__all__ = ["BenchOptions", "BenchReport", "run_bench"]
