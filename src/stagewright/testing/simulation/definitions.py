"""Random definitions that are sound: whatever a definition may hold, in sizes that end soon."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from stagewright.domain.checks import check
from stagewright.domain.definition import Definition
from stagewright.domain.parsing import parse_definition
from stagewright.testing.simulation.cast import CONTRACTS

DEEPEST = 2
TRIES = 50
APPROVERS = (["ann"], ["ann", "bob"], ["*"], ["group:editors"])
POLICIES = ("fail", "fail", "skip", "hold")
SIGNALS = ("s", "t")

Data = dict[str, Any]


@lru_cache(maxsize=1_024)
def definition(number: int) -> Definition:
    """Return the definition with this number: always the same one."""
    chance = random.Random(f"definition {number}")  # noqa: S311  # repeatable by intent
    for _ in range(TRIES):
        drawn = parse_definition(Maker(chance).workflow(f"job-{number}"))
        if not check(drawn, CONTRACTS):
            return drawn
    return parse_definition(
        {"name": f"job-{number}", "stages": [{"name": "s0", "agent": "worker"}]}
    )


class Maker:
    """Draws one definition; stage names are unique in all of it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._number = 0
        self._leaves: tuple[Callable[[str, list[str]], Data], ...] = (
            self._worker, self._worker, self._worker, self._judge, self._approval, self._wait,
        )  # fmt: skip

    def workflow(self, name: str) -> Data:
        """Draw it as it would stand in YAML."""
        deadline_s = self._chance.choice([None] * 6 + [45])
        return {
            "name": name,
            "stages": self._region(0),
            "priority": self._chance.randrange(4),
            **({} if deadline_s is None else {"deadline_s": deadline_s}),
        }

    def _region(self, depth: int) -> list[Data]:
        size = self._chance.randint(1, 2) if depth else self._chance.randint(2, 4)
        stages: list[Data] = []
        for _ in range(size):
            stages.append(self._stage(depth, [one["name"] for one in stages]))
        return stages

    def _stage(self, depth: int, before: list[str]) -> Data:
        name = f"s{self._number}"
        self._number += 1
        if depth < DEEPEST and self._chance.random() < 0.25:
            return self._group(name, depth)
        stage = self._chance.choice(self._leaves)(name, before)
        stage["on_failure"] = self._chance.choice(POLICIES)
        return stage

    def _group(self, name: str, depth: int) -> Data:
        count = self._chance.randint(2, 4)
        join = self._chance.choice(
            ["all", "all", "any", f"quorum:{self._chance.randint(1, count)}"]
        )
        return {
            "name": name,
            "kind": "parallel",
            "join": join,
            "branches": {f"b{i}": self._region(depth + 1) for i in range(count)},
            "on_failure": self._chance.choice(["fail", "skip"]),
        }

    def _worker(self, name: str, before: list[str]) -> Data:
        stage = {
            "name": name,
            "agent": "worker",
            "timeout_s": self._chance.choice([15, 40]),
            "repairs": self._chance.randint(0, 2),
            "retry": {
                "attempts": self._chance.randint(1, 3),
                "delay_s": self._chance.choice([0, 0.5, 8]),
            },
        }
        return self._wired(stage, before)

    def _judge(self, name: str, before: list[str]) -> Data:
        """It may send the work back, a few times."""
        return {
            **self._worker(name, before),
            "agent": "judge",
            "max_visits": self._chance.randint(1, 3),
            "on": {"good": "complete", "bad": self._chance.choice([name, *before])},
        }

    def _wired(self, stage: Data, before: list[str]) -> Data:
        """Several ways may lead here, so that what it is given is written down."""
        given: Data = {"n": {"from": "input.n"}}
        if before:
            given["before"] = {"from": f"stages.{self._chance.choice(before)}.output"}
        return {**stage, "with": given}

    def _approval(self, name: str, before: list[str]) -> Data:
        approvers = self._chance.choice(APPROVERS)
        stage: Data = {"name": name, "kind": "approval", "approvers": approvers}
        if len(approvers) > 1 or approvers == ["*"]:
            stage["required"] = self._chance.randint(1, 2)
        if before and self._chance.random() < 0.5:
            stage |= {"on": {"rejected": self._chance.choice(before)}, "max_visits": 2}
        if self._chance.random() < 0.4:
            stage["timeout_s"] = 25
        if before:
            stage["show"] = {"from": f"stages.{before[-1]}.output"}
        return stage

    def _wait(self, name: str, _: list[str]) -> Data:
        sorts: list[Data] = [
            {"for_s": 12},
            {"until": "2025-06-15T15:06:55Z"},  # 15 s after the virtual clock begins
            {"signal": self._chance.choice(SIGNALS)},
            {"signal": self._chance.choice(SIGNALS), "timeout_s": 18},
        ]
        return {"name": name, "kind": "wait", **self._chance.choice(sorts)}
