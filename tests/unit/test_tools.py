"""The scripts that judge this project are judged first."""

from __future__ import annotations

import sys

import pytest

from tools import coverage_gate, run_tiers
from tools.run_tiers import Tier


def script(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def report(**layers: tuple[int, int]) -> dict[str, object]:
    return {
        "files": {
            f"src/stagewright/{layer}/some.py": {
                "summary": {
                    "covered_branches": covered,
                    "num_branches": all_,
                    "missing_branches": all_ - covered,
                    "covered_lines": 10,
                    "num_statements": 10,
                    "missing_lines": 0,
                }
            }
            for layer, (covered, all_) in layers.items()
        }
    }


def test_a_tier_is_red_when_any_of_its_commands_fails() -> None:
    tier = Tier("some", 10, (script("raise SystemExit(3)"), script("pass")))
    assert not run_tiers.run_tier(tier).ok


def test_a_tier_that_hangs_is_ended_and_red() -> None:
    tier = Tier("some", 0, (script("import time; time.sleep(60)"),))
    assert not run_tiers.run_tier(tier).ok


def test_tiers_after_a_red_one_do_not_run(capfd: pytest.CaptureFixture[str]) -> None:
    red = Tier("red", 10, (script("raise SystemExit(1)"),))
    later = Tier("later", 10, (script("print('ran anyway')"),))
    results = run_tiers.run_until_red((red, later))
    run_tiers.summarise(results, (red, later))
    printed = capfd.readouterr().out.splitlines()
    assert [result.ok for result in results] == [False]
    assert "later       not run" in printed
    assert "ran anyway" not in printed


def test_a_tier_over_its_budget_says_so() -> None:
    result = run_tiers.Result(Tier("slow", 5, ()), ok=True, took_s=5.2)
    assert run_tiers.verdict(result).endswith("over budget")


def test_an_unknown_tier_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match=r"no tier nosuch; there are: lint, unit.*torture"):
        run_tiers.chosen(["nosuch"])


def test_a_layer_below_the_gate_is_named() -> None:
    complaints = coverage_gate.shortfalls(report(domain=(94, 100), application=(95, 100)))
    assert complaints == ["domain: branches covered 94.0 %"]


def test_a_layer_without_files_does_not_pass_the_gate() -> None:
    assert coverage_gate.shortfalls(report(domain=(1, 1)))


def test_the_gate_names_the_weakest_file_first() -> None:
    rows = coverage_gate.weakest(report(domain=(9, 10), application=(1, 10)))
    assert "application" in rows[0]


def test_long_tiers_run_only_when_they_are_named() -> None:
    assert run_tiers.chosen([]) == run_tiers.TIERS
    assert [tier.name for tier in run_tiers.chosen(["torture"])] == ["torture"]
