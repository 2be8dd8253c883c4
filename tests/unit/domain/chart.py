"""A whole definition as one statechart of the library: what regions and joins are held against.

Groups are the library's own parallel states, and their joins conditions over its configuration, so
nothing of the kernel's machine, joins or cancelling is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from statemachine import StateChart
from statemachine.io import create_machine_class_from_definition

from stagewright.domain.definition import FAILURES, INVALID, Definition, ParallelStage, Stage
from stagewright.domain.routes import regions, routes


class Chart:
    """A definition as the library runs it."""

    def __init__(self, definition: Definition) -> None:
        self._names = frozenset(stage.name for stage in definition.every_stage())
        self._routes = {
            name: table
            for each in regions(definition)
            for name, table in routes(each.stages).items()
        }
        self._machine = create_machine_class_from_definition(
            "Whole",
            _region(definition.stages, "root"),
            allow_event_without_transition=True,
            catch_errors_as_events=False,
            validate_disconnected_states=False,
            validate_final_reachability=False,
            validate_trap_states=False,
        )()

    def tell(self, stage: str, outcome: str) -> None:
        """Let a stage end with an outcome; a failure without a route holds the stage.

        A label that nobody routed breaks the contract, which no repair mends here.
        """
        known = outcome in self._routes[stage] or outcome in FAILURES
        self._machine.send(f"{stage}__{outcome if known else INVALID}")

    @property
    def active(self) -> tuple[str, ...]:
        return tuple(sorted(self._names.intersection(self._machine.configuration_values)))

    @property
    def end(self) -> str | None:
        """How the whole ended; None while it has not."""
        if not self._machine.is_terminated:
            return None
        (reached,) = self._machine.configuration_values
        return {"root:complete": "completed", "root:fail": "failed"}[reached]


def _region(stages: Sequence[Stage], path: str) -> dict[str, Any]:
    ids = {"complete": f"{path}_complete", "fail": f"{path}_fail"}
    ids |= {stage.name: stage.name for stage in stages}
    table = routes(stages)
    states = {
        stage.name: _state(stage, {o: ids[to] for o, to in table[stage.name].items()})
        for stage in stages
    }
    states[stages[0].name]["initial"] = True
    for end in ("complete", "fail"):
        states[ids[end]] = {"value": f"{path}:{end}", "final": True}
    return states


def _state(stage: Stage, targets: dict[str, str]) -> dict[str, Any]:
    if isinstance(stage, ParallelStage):
        return _group(stage, targets)
    events = {f"{stage.name}__{o}": [{"target": to}] for o, to in targets.items()}
    return {"value": stage.name, "on": events}


def _group(stage: ParallelStage, targets: dict[str, str]) -> dict[str, Any]:
    paths = [f"{stage.name}_{index}" for index in range(len(stage.branches))]
    regions = zip(paths, stage.branches.values(), strict=True)
    enough, too_few = stage.needed, len(paths) - stage.needed + 1
    joins = [("ok", "complete", enough), ("failed", "fail", too_few)]
    return {
        "value": stage.name,
        "parallel": True,
        "states": {p: {"value": f"in {p}", "states": _region(b, p)} for p, b in regions},
        "transitions": [
            {"target": targets[outcome], "cond": _at_least(number, paths, end)}
            for outcome, end, number in joins
        ],
    }


def _at_least(number: int, paths: list[str], end: str) -> Callable[..., bool]:
    wanted = [f"{path}:{end}" for path in paths]

    def holds(machine: StateChart[Any]) -> bool:
        return sum(value in machine.configuration_values for value in wanted) >= number

    return holds
