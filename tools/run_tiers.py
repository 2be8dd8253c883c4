"""Run the checks of this project, tier by tier, and say how long each took.

    tools/run_tiers.py            all quick tiers; stops at the first that is red
    tools/run_tiers.py lint unit  only these
    tools/run_tiers.py torture    a long one, which runs only when it is named

Cheap tiers stand first, so that most mistakes are reported within a minute. A tier without a
single test is red: silence is not evidence.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tiers"
HANG_FACTOR = 4  # a tier that takes this many times its budget hangs and is ended
WHOLE_BUDGET_S = 720

Command = tuple[str, ...]


@dataclass(frozen=True)
class Tier:
    """Commands that must all succeed, and the seconds they should take together."""

    name: str
    budget_s: int
    commands: tuple[Command, ...]
    hang_factor: int = HANG_FACTOR


@dataclass(frozen=True)
class Result:
    """How one tier ended. `passed` and `failed` count tests; a tier of commands has none."""

    tier: Tier
    ok: bool
    took_s: float
    passed: int = 0
    failed: int = 0


def python(*arguments: str) -> Command:
    """Return the command that runs this interpreter with `arguments`."""
    return (sys.executable, *arguments)


def pytest(name: str, *arguments: str) -> Command:
    """Return the command that runs tests and leaves a JUnit report named `name`."""
    return python("-m", "pytest", "-q", f"--junitxml={REPORTS / name}.xml", *arguments)


def parallel(*arguments: str) -> Command:
    """Return pytest options for two workers; the tests of a module or class share one."""
    return ("-n", "2", "--dist", "loadscope", *arguments)


def covered(*arguments: str) -> Command:
    """Return pytest options that record coverage for the gate and print nothing about it."""
    return ("--cov", "--cov-report=", *arguments)


def long(*arguments: str) -> Command:
    """Return pytest options for tests that take minutes each."""
    return parallel("-o", "faulthandler_timeout=1500", *arguments)


TIERS = (
    Tier(
        "lint",
        60,
        (
            python("-m", "ruff", "check", "."),
            python("-m", "ruff", "format", "--check", "."),
            python("-m", "mypy"),
            (str(Path(sys.executable).with_name("lint-imports")), "--no-logo"),
        ),
    ),
    Tier("unit", 150, (pytest("unit", *covered(), *parallel("tests/unit")),)),
    Tier(
        "contracts",
        100,
        (pytest("contracts", *covered(), *parallel("tests/contracts", "tests/adapters")),),
    ),
    Tier("coverage", 10, (python("tools/coverage_gate.py", "unit", "contracts"),)),
    Tier(
        "simulation",
        120,
        (
            pytest("simulation", *parallel("tests/simulation")),
            python("-m", "stagewright.testing.simulate", "--seeds", "1000"),
        ),
    ),
    Tier("acceptance", 145, (pytest("acceptance", *parallel("tests/acceptance")),)),
    Tier("browser", 90, (pytest("browser", *parallel("tests/browser")),)),
    # Kills wait for processes to come back most of the time, so two such tests share two cores.
    Tier("faults", 260, (pytest("faults", *parallel("tests/faults")),)),
)
LONG = (
    # The soak measures what a busy machine would spoil, so it has the machine for itself.
    Tier(
        "torture",
        1_800,
        (
            pytest("torture", *long("--ignore=tests/torture/test_soak.py"), "tests/torture"),
            pytest("soak", *long(), "tests/torture/test_soak.py"),
        ),
        hang_factor=2,
    ),
)


def run_command(command: Command, tier: Tier, limit_s: float) -> bool:
    """Run `command` in a process group of its own; return whether it succeeded within the limit."""
    environment = os.environ | {"COVERAGE_FILE": str(REPORTS / f".coverage.{tier.name}")}
    # Flushed here because the child writes to the same output.
    print("$", Path(command[0]).name, *command[1:], flush=True)
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        return process.wait(timeout=limit_s) == 0
    except subprocess.TimeoutExpired:
        print(f"ended: still running after {max(limit_s, 0):.0f} s", flush=True)
        return False
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the process group, so that no server outlives its tier."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def count_tests(tier: Tier) -> tuple[int, int]:
    """Return how many tests passed and failed, read from the tier's JUnit report if it has one."""
    report = REPORTS / f"{tier.name}.xml"
    if not report.exists():
        return 0, 0
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - our own file
    tests = failed = skipped = 0
    for suite in suites:
        tests += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return tests - failed - skipped, failed


def run_tier(tier: Tier) -> Result:
    """Run every command of `tier`, so that one run tells all that is wrong in it."""
    print(f"\n=== {tier.name} (budget {tier.budget_s} s)", flush=True)
    (REPORTS / f"{tier.name}.xml").unlink(missing_ok=True)
    started = time.monotonic()
    end = started + tier.budget_s * tier.hang_factor
    succeeded = [run_command(command, tier, end - time.monotonic()) for command in tier.commands]
    passed, failed = count_tests(tier)
    return Result(tier, all(succeeded), time.monotonic() - started, passed, failed)


def run_until_red(tiers: tuple[Tier, ...]) -> list[Result]:
    """Run `tiers` in order; the last result is the first red one, if any."""
    results: list[Result] = []
    for tier in tiers:
        results.append(run_tier(tier))
        if not results[-1].ok:
            break
    return results


def verdict(result: Result) -> str:
    """Return one line about one tier: its colour, its time and whether that was too long."""
    late = "  over budget" if result.took_s > result.tier.budget_s else ""
    colour = "green" if result.ok else "RED"
    return (
        f"{result.tier.name:<12}{colour:<7}{result.took_s:6.1f} s of {result.tier.budget_s:>3} s"
        f"  {result.passed:>5} passed{late}"
    )


def summarise(results: list[Result], tiers: tuple[Tier, ...]) -> None:
    """Print every tier's line, the whole time, and a closing line that counts tests."""
    print("\n=== tiers")
    for result in results:
        print(verdict(result))
    for tier in tiers[len(results) :]:
        print(f"{tier.name:<12}not run")
    whole_s = sum(result.took_s for result in results)
    late = "  over budget" if whole_s > WHOLE_BUDGET_S else ""
    print(f"{'whole':<12}{'':<7}{whole_s:6.1f} s of {WHOLE_BUDGET_S:>3} s{late}")
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    if passed or failed:
        print(f"{passed} passed, {failed} failed", flush=True)


def chosen(names: list[str]) -> tuple[Tier, ...]:
    """Return the tiers called `names` in their order here, or all that are quick."""
    known = [tier.name for tier in (*TIERS, *LONG)]
    if unknown := set(names) - set(known):
        sys.exit(f"error: no tier {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    if not names:
        return TIERS
    return tuple(tier for tier in (*TIERS, *LONG) if tier.name in names)


def main() -> int:
    """Run the tiers named on the command line; return 0 when all are green."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    tiers = chosen(sys.argv[1:])
    results = run_until_red(tiers)
    summarise(results, tiers)
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
