"""The list of planted bugs does not rot: each can be planted, and what it plants can be run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from stagewright.testing.servers import RedisServer
from tests.mutants.planted import PLANTED
from tests.mutants.record import CannotPlant, Planted
from tools import mutants
from tools.mutants import Verdict

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
def test_every_path_of_a_harness_is_there(harness: mutants.Harness) -> None:
    assert all((ROOT / path).exists() for path in harness.paths)


@pytest.mark.parametrize("text", ["nothing of it", "a + b, a + b"])
def test_a_text_that_is_not_there_exactly_once_cannot_be_planted(text: str) -> None:
    with pytest.raises(CannotPlant, match="adds wrong"):
        BUG.plant(text)


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
