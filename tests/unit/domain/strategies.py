"""Random definitions, and walks through them.

Definitions here are for the kernel, not for the checks: they may loop without bounds and hold
stages that nothing reaches. A walk is a list of numbers that are read against the state they meet,
so that it shrinks well and fits any definition.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import strategies as st

from stagewright.domain.definition import Definition
from tests.unit.domain.kernel import agent, approval, define, parallel, wait

MOST_BRANCHES = 6
DEEPEST = 2
LABELS = ("good", "bad")
FAILURES = ("failed", "invalid", "timeout")
RULES = (
    [],
    [{"when": "output.n > 1", "outcome": "good"}],
    [{"when": "output.missing.field == visit", "outcome": "bad"}],
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Make = Callable[[Draw, str], dict[str, Any]]


def plain_agent(draw: Draw, name: str) -> dict[str, Any]:
    """An agent whose first answer is its last."""
    policy = draw(st.sampled_from(["fail", "skip", "hold"]))
    return agent(name, retry={"attempts": 1}, repairs=0, on_failure=policy)


def any_agent(draw: Draw, name: str) -> dict[str, Any]:
    """An agent with all that an agent may have."""
    retry = {
        "attempts": draw(st.sampled_from([3, 2, 1])),
        "delay_s": draw(st.sampled_from([0, 1, 60])),
        "not_on": draw(st.sampled_from([(), ("fatal",)])),
    }
    fields = {
        "retry": retry,
        "repairs": draw(st.integers(0, 2)),
        "rules": draw(st.sampled_from(RULES)),
        "timeout_s": 60,
    }
    template = draw(st.sampled_from([None, {"n": {"from": "input.n"}}]))
    if template is not None:
        fields["with"] = template
    return agent(name, **fields)


def any_approval(draw: Draw, name: str) -> dict[str, Any]:
    required = draw(st.integers(1, 2))
    return approval(name, "*", required=required, timeout_s=draw(st.sampled_from([None, 30])))


def any_wait(draw: Draw, name: str) -> dict[str, Any]:
    sorts: list[dict[str, Any]] = [
        {"for_s": 20},
        {"until": "2030-01-01T00:00:00Z"},
        {"until": {"from": "input.never"}},
        {"signal": "s"},
        {"signal": "t", "timeout_s": 15},
    ]
    return wait(name, **draw(st.sampled_from(sorts)))


class Maker:
    """Draws one definition; stage names are unique in all of it."""

    def __init__(self, draw: Draw, leaves: tuple[Make, ...], *, full: bool) -> None:
        self._draw = draw
        self._leaves = leaves
        self._full = full
        self._numbers = count()

    def region(self, depth: int) -> list[dict[str, Any]]:
        """Draw a list of stages with routes among them."""
        size = self._draw(st.integers(1, 2) if depth else st.integers(2, 4))
        stages = [self._stage(depth) for _ in range(size)]
        names = [stage["name"] for stage in stages]
        for stage in stages:
            stage["on"] = self._routes([*names, *names, "complete", "fail"])
        return stages

    def _stage(self, depth: int) -> dict[str, Any]:
        name = f"s{next(self._numbers)}"
        grouped = depth < DEEPEST and self._draw(st.integers(0, 2)) == 0
        stage = self._group(name, depth) if grouped else self._leaf(name)
        if self._full:
            stage["on_failure"] = self._draw(st.sampled_from(["fail", "skip", "hold"]))
            stage["max_visits"] = self._draw(st.sampled_from([None, None, None, 1, 3]))
        return stage

    def _leaf(self, name: str) -> dict[str, Any]:
        return self._draw(st.sampled_from(self._leaves))(self._draw, name)

    def _group(self, name: str, depth: int) -> dict[str, Any]:
        number = self._draw(st.integers(1, MOST_BRANCHES))
        branches = [self.region(depth + 1) for _ in range(number)]
        quorum = self._draw(st.integers(1, number))
        join = self._draw(st.sampled_from(["all", "any", f"quorum:{quorum}"]))
        policy = self._draw(st.sampled_from(["fail", "skip"]))
        return parallel(name, *branches, join=join, on_failure=policy)

    def _routes(self, targets: list[str]) -> dict[str, str]:
        outcomes = ("ok", "approved", *LABELS, *LABELS, *FAILURES, "rejected", "exhausted")
        return self._draw(
            st.dictionaries(st.sampled_from(outcomes), st.sampled_from(targets), max_size=4)
        )


@st.composite
def machine_definitions(draw: Draw) -> Definition:
    """Agents and groups of up to six branches, two deep, whose only limits are their routes."""
    return define(*Maker(draw, (plain_agent,), full=False).region(0))


@st.composite
def definitions(draw: Draw) -> Definition:
    """Everything that a definition may hold."""
    leaves = (any_agent, any_agent, any_approval, any_wait)
    deadline_s = draw(st.sampled_from([None, None, None, 5_000]))
    return define(*Maker(draw, leaves, full=True).region(0), deadline_s=deadline_s)


def walks(*moves: str, size: int = 25) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """Moves, each with two numbers that choose what it is about."""
    numbers = st.integers(0, 11)
    move = st.tuples(st.sampled_from(moves), numbers, numbers)
    return st.lists(move, min_size=size, max_size=2 * size)
