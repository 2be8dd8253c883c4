"""A seed is a whole history: the same one every time, and told to whoever must look into it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from stagewright.adapters.memory import workflow_store
from stagewright.testing import simulate as command_line
from stagewright.testing.simulate import Summary, main, replay_command, run_seeds, verdict
from stagewright.testing.simulation.facts import SEEDS_FOR_ALL, SOMETIMES
from stagewright.testing.simulation.run import Report, simulate
from tests.simulation.planted import no_stage_is_held, no_step_id_check

SOME = range(30)


def first_broken() -> int:
    """Return the first seed in which the planted bug shows, whatever histories look like today."""
    return next(seed for seed in range(100) if simulate(seed).violations)


def test_a_seed_gives_the_same_history_twice() -> None:
    first, second = ([simulate(seed).digest for seed in SOME] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(SOME)


def test_histories_are_the_same_when_only_what_is_referred_to_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = [simulate(seed) for seed in SOME]
    monkeypatch.setattr(workflow_store, "FEW_OUTPUTS", 0)
    chosen = [simulate(seed) for seed in SOME]
    assert [one.digest for one in chosen] == [one.digest for one in everything]
    assert [one.violations for one in chosen] == [[] for _ in SOME]


def test_a_seed_gives_the_same_history_in_another_process() -> None:
    command = [sys.executable, *replay_command(3).split()[1:]]
    told = set()
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        told.add(done.stdout)
    (history,) = told
    assert f"trace {simulate(3).digest[:16]}" in history


def test_a_broken_promise_is_told_with_the_command_that_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_step_id_check(monkeypatch)
    seed = first_broken()
    assert main(["--start", f"{seed}", "--seeds", "1", "--workers", "1"]) == 1
    said = capsys.readouterr().out
    assert "was committed in place of" in said
    assert f"python -m stagewright.testing.simulate --seed {seed} --trace" in said


def test_the_trace_shows_where_a_promise_was_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_step_id_check(monkeypatch)
    assert main(["--seed", f"{first_broken()}", "--trace"]) == 1
    lines = capsys.readouterr().out.splitlines()
    broken = next(i for i, line in enumerate(lines) if "PROMISES" in line)
    assert "store.commit" in "".join(lines[:broken])
    assert any("STORE" in line for line in lines)


def test_what_is_left_to_people_as_a_dead_letter_alone_does_not_count_as_standing_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_stage_is_held(monkeypatch)
    for seed in range(250):
        report = simulate(seed)
        assert report.violations == []
        if report.facts["a result was left to people as a dead letter alone"]:
            return
    pytest.fail("no seed came to that")


def test_what_never_happened_makes_a_long_run_red() -> None:
    facts = Counter(SOMETIMES - {"a commit was fenced"})
    tame = Summary(seeds=SEEDS_FOR_ALL, facts=facts)
    assert verdict(tame) == [f"never happened in {SEEDS_FOR_ALL} seeds: a commit was fenced"]
    assert verdict(Summary(seeds=10, facts=facts)) == []


def test_seeds_are_run_in_several_processes() -> None:
    alone, together = run_seeds(range(5, 9)), run_seeds(range(5, 9), workers=2)
    assert (alone.seeds, alone.facts) == (together.seeds, together.facts)


def test_few_seeds_that_failed_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(seed: int) -> Report:
        return Report(seed, ["broken"], "", Counter(), 1, 1, 1.0)

    monkeypatch.setattr(command_line, "simulate", failing)
    summary = run_seeds(range(100))
    assert (summary.seeds, len(summary.failed)) == (100, command_line.MOST_SHOWN)
