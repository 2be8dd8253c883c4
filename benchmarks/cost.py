"""What a stage costs in processor time, as a multiple of a fixed piece of work done beside it.

    python -m benchmarks.cost memory            # prints the ratio of this machine, now
    python -m benchmarks.cost memory --record   # and keeps it as what a test expects

Both are measured in turn and in one process, so a slow or shared machine slows both alike.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from stagewright.entrypoints.bench import BenchOptions, run_bench
from stagewright.entrypoints.bench.job import parcel
from stagewright.entrypoints.settings import Settings

RECORDED = Path(__file__).with_name("cost.json")
MARGIN = 1.6
"""How many times the recorded ratio is still no regression: machines and libraries differ."""
ROUNDS = 3
TURNS = 4_000
WORKFLOWS = 250


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of processor time: of one stage, and of one turn of the fixed work."""

    stage_us: float
    turn_us: float

    @property
    def ratio(self) -> float:
        """How many turns of the fixed work one stage is worth."""
        return self.stage_us / self.turn_us


def turn(number: int) -> int:
    """Do what hardly changes with a release of Python: make, write, hash, read and sort a dict."""
    given = parcel(number)
    text = json.dumps(given, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    back = json.loads(text)
    changed = {**back, "hops": number, "digest": digest}
    return len(sorted(changed.items(), key=lambda item: item[0]))


def turn_us() -> float:
    """Return what one turn costs now."""
    started = time.process_time()
    for number in range(TURNS):
        turn(number)
    return (time.process_time() - started) / TURNS * 1e6


def stage_us(url: str) -> float:
    """Return what one stage of the benchmark's job costs now, all of it in this process."""
    options = BenchOptions(workflows=WORKFLOWS, latency_workflows=0)
    return uvloop.run(run_bench(Settings(url=url), options)).cpu_us_per_stage


def measure(backend: str) -> Cost:
    """Measure a few times in turn; return the round that was disturbed least."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/state.db" if backend == "sqlite" else f"{backend}://"
        rounds = []
        for _ in range(ROUNDS):
            before = turn_us()
            stage = stage_us(url)
            rounds.append(Cost(stage, (before + turn_us()) / 2))
    return min(rounds, key=lambda cost: cost.ratio)


def recorded() -> dict[str, float]:
    """Return the ratio of each backend when it was last recorded."""
    found: dict[str, float] = json.loads(RECORDED.read_text("utf-8"))
    return found


def verdict(backend: str, ratio: float) -> str | None:
    """Say what is wrong with a ratio, None when nothing is."""
    allowed = recorded()[backend] * MARGIN
    if ratio <= allowed:
        return None
    return (
        f"a stage on {backend} costs {ratio:.1f} turns of fixed work; {allowed:.1f} are allowed."
        " Find what got dearer; if it has to be, record the new cost:"
        f" python -m benchmarks.cost {backend} --record"
    )


def main() -> int:
    """Measure the backend that is named; return 1 when it got too dear."""
    backend = sys.argv[1]
    cost = measure(backend)
    print(json.dumps({"stage_us": cost.stage_us, "turn_us": cost.turn_us, "ratio": cost.ratio}))
    if "--record" in sys.argv:
        kept = {**recorded(), backend: round(cost.ratio, 1)}
        RECORDED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    if wrong := verdict(backend, cost.ratio):
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
