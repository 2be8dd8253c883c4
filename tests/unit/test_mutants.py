"""The list of planted bugs does not rot: each can be planted, and what it plants can be run."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from stagewright.testing.servers import RedisServer
from tests.mutants.planted import PLANTED
from tests.mutants.record import CannotPlant, Planted
from tools import mutants
from tools.mutants import Bench, Harness, Unsound, Verdict

ROOT = Path(__file__).resolve().parents[2]
BUG = Planted("adds wrong", "domain/sum.py", "a + b", "a - b", "kernel")
IN_LUA = [bug for bug in PLANTED if bug.path.suffix == ".lua"]
CATCH = Verdict("kernel", True, 2.0, "tests/unit/test_sum.py::test_one_and_one_are_two")


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_can_still_be_planted(bug: Planted) -> None:
    planted = bug.plant((ROOT / bug.path).read_text("utf-8"))
    if bug.path.suffix == ".py":
        compile(planted, str(bug.path), "exec")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.mark.parametrize("bug", IN_LUA, ids=lambda bug: bug.name)
async def test_a_server_takes_a_function_with_a_planted_bug(
    bug: Planted, server: RedisServer
) -> None:
    source = bug.plant((ROOT / bug.path).read_text("utf-8"))
    end = "redis.register_function('planted', function() end)"
    library = f"#!lua name=planted\n{source}\n{end}"
    async with Redis.from_url(server.url, protocol=2) as plain:
        assert await plain.execute_command("FUNCTION", "LOAD", "REPLACE", library) == b"planted"


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_names_who_should_catch_it_or_why_nothing_does(bug: Planted) -> None:
    able = [harness.name for harness in mutants.able(bug)]
    assert (bug.caught_by in able) != bool(bug.why)


def test_each_planted_bug_has_a_name_of_its_own() -> None:
    assert [name for name, n in Counter(bug.name for bug in PLANTED).items() if n > 1] == []


@pytest.mark.parametrize("harness", mutants.HARNESSES, ids=lambda harness: harness.name)
def test_every_path_of_a_harness_is_there(harness: Harness) -> None:
    assert all((ROOT / path).exists() for path in harness.paths)


def test_whole_systems_from_seeds_are_tried_on_rules_and_use_cases() -> None:
    for file in ("domain/decide.py", "application/batch.py", "adapters/memory/step.py"):
        names = [harness.name for harness in mutants.able(Planted("", file, "", ""))]
        assert "simulation" in names
        assert "simulation" not in names[:1]  # others are cheaper


@pytest.mark.parametrize("text", ["nothing of it", "a + b, a + b"])
def test_a_text_that_is_not_there_exactly_once_cannot_be_planted(text: str) -> None:
    with pytest.raises(CannotPlant, match="adds wrong"):
        BUG.plant(text)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with mutants.bench() as made:
        yield made


def test_what_a_test_starts_on_the_copy_is_the_copy(bench: Bench, tmp_path: Path) -> None:
    command = [bench.python, "-c", "import stagewright; print(stagewright.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env={}, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()).is_relative_to(bench.root)


def test_a_bug_is_caught_while_it_is_planted_and_only_then(bench: Bench) -> None:
    harness = Harness("leases", ("tests/unit/domain/test_leases.py",), ("domain/",), 60)
    (bug,) = (bug for bug in PLANTED if bug.file == "domain/leases.py")
    with bench.planted(bug):
        seen = bench.run(harness)
    assert seen.caught
    assert seen.test.endswith("::test_three_lost_leases_end_the_attempt")
    assert not bench.run(harness).caught


def test_tests_that_cannot_run_prove_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bench, "_run", lambda *_: (4, "file or directory not found"))
    with pytest.raises(Unsound, match="kernel could not run:\nfile or directory not found"):
        bench.run(mutants.HARNESSES[1])


def test_a_harness_that_is_red_without_a_bug_proves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bench, "run", lambda *_: CATCH)
    with pytest.raises(Unsound, match="kernel is red without a bug"):
        bench.prove(mutants.HARNESSES[1])


def test_a_run_that_hangs_is_a_catch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bench, "_run", lambda *_: (None, ""))
    assert mutants.test_name(bench.run(mutants.HARNESSES[1])) == "it hangs"


def test_a_catch_is_told_with_the_test_that_failed() -> None:
    assert mutants.row(BUG, [CATCH]) == (
        "| adds wrong | `domain/sum.py` | kernel | `test_one_and_one_are_two` | 2 |"
    )


def test_a_survivor_that_nobody_explained_is_a_fault_of_the_harnesses() -> None:
    assert mutants.judge(30, [BUG], whole=True) == ["survived: adds wrong"]


def test_too_many_survivors_are_a_fault_though_each_is_explained() -> None:
    explained = Planted("costs time", "domain/sum.py", "a", "b", why="nothing shows")
    assert mutants.judge(49, [explained], whole=True) == []
    assert mutants.judge(9, [explained], whole=True) == ["1 of 10 survived; one in 25 may"]


def test_bugs_are_chosen_by_words_of_their_names_and_files() -> None:
    assert mutants.chosen([]) == list(PLANTED)
    assert {bug.file for bug in mutants.chosen(["takeover.py"])} == {"application/takeover.py"}
    assert mutants.chosen(["no such word"]) == []
