"""Runs many seeds of the simulation: `python -m stagewright.testing.simulate --seeds 1000`.

Ends with 1 when a promise was broken, or when something that must happen sometimes never did. A
seed that failed is named with the command that runs it again and prints all that happened.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from stagewright.testing.simulation.facts import SEEDS_FOR_ALL, never
from stagewright.testing.simulation.run import Report, simulate

CHUNK = 25
MOST_SHOWN = 20
"""Seeds that are named; a defect that breaks thousands is seen in a few."""


@dataclass
class Summary:
    """What became of many seeds."""

    seeds: int = 0
    workflows: int = 0
    steps: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    failed: list[Report] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Take one seed in."""
        self.seeds += 1
        self.workflows += report.workflows
        self.steps += report.steps
        self.facts.update(report.facts)
        if report.violations and len(self.failed) < MOST_SHOWN:
            report.trace = []
            self.failed.append(report)


def replay_command(seed: int) -> str:
    """Return what runs a seed again and shows all of it."""
    return f"python -m stagewright.testing.simulate --seed {seed} --trace"


def run_seeds(seeds: range, workers: int = 1, *, progress: bool = False) -> Summary:
    """Run seeds in so many processes."""
    summary = Summary()
    began, told = time.monotonic(), time.monotonic()
    for report in _reports(seeds, workers):
        summary.add(report)
        if progress and report.violations:
            _say(f"seed {report.seed}: {report.violations[0]}")
        if progress and time.monotonic() - told > 30:
            told = time.monotonic()
            _say(f"{summary.seeds} seeds in {told - began:.0f} s, {len(summary.failed)} failed")
    return summary


def _reports(seeds: range, workers: int) -> Iterator[Report]:
    if workers == 1:
        yield from map(simulate, seeds)
        return
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(workers) as pool:
        for reports in pool.map(_chunk, chunks):
            yield from reports


def _chunk(seeds: range) -> list[Report]:
    return [simulate(seed) for seed in seeds]


def verdict(summary: Summary) -> list[str]:
    """Return what is wrong, as lines; empty when nothing is."""
    lines = []
    for report in summary.failed:
        lines += [f"seed {report.seed}: {sentence}" for sentence in report.violations[:3]]
        lines.append(f"  {replay_command(report.seed)}")
    missing = never(summary.facts) if summary.seeds >= SEEDS_FOR_ALL else []
    lines += [f"never happened in {summary.seeds} seeds: {name}" for name in missing]
    return lines


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _one(seed: int, *, trace: bool) -> int:
    report = simulate(seed, trace=trace)
    for line in report.trace if trace else ():
        _say(line)
    for sentence in report.violations:
        _say(f"seed {seed}: {sentence}")
    _say(
        f"seed {seed}: {report.workflows} workflows, {report.steps} steps, "
        f"{report.virtual_s:.0f} virtual s, trace {report.digest[:16]}"
    )
    return bool(report.violations)


def _many(seeds: range, workers: int, *, show: bool) -> int:
    began = time.monotonic()
    summary = run_seeds(seeds, workers, progress=True)
    if show:
        for name, times in sorted(summary.facts.items()):
            _say(f"{times:9} {name}")
    wrong = verdict(summary)
    for line in wrong:
        _say(line)
    _say(
        f"{summary.seeds} seeds from {seeds.start}: {summary.workflows} workflows, "
        f"{summary.steps} steps, {len(summary.failed)} failed, {time.monotonic() - began:.0f} s"
    )
    return bool(wrong)


def main(arguments: Iterable[str] | None = None) -> int:
    """Run what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=2, help="processes to run them in")
    parser.add_argument("--facts", action="store_true", help="show how often each thing happened")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all that happened")
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.seed is not None:
        return _one(given.seed, trace=given.trace)
    return _many(range(given.start, given.start + given.seeds), given.workers, show=given.facts)


if __name__ == "__main__":
    sys.exit(main())
