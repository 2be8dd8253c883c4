"""What can be proved about a region's routes: what is reached, what repeats, what stays empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from stagewright.domain.definition import (
    COMPLETE,
    EXHAUSTED,
    FAILED,
    INVALID,
    TARGETS,
    TIMEOUT,
    AgentStage,
    ApprovalStage,
    ParallelStage,
    Stage,
    WaitStage,
)
from stagewright.domain.routes import Region, outcomes, routes

_NOTHING_GIVEN = frozenset({FAILED, INVALID, TIMEOUT})
"""Outcomes that may leave a stage without output; groups report their branches all the same."""


def possible_outcomes(stage: Stage) -> frozenset[str]:
    """The outcomes that can occur as the stage is written, with the labels it routes.

    `exhausted` needs `max_visits`, `timeout` of an approval or a signal needs `timeout_s`.
    """
    found = set(outcomes(stage))
    if isinstance(stage, AgentStage):
        found |= stage.on.keys()
    if stage.max_visits is None:
        found.discard(EXHAUSTED)
    if isinstance(stage, ApprovalStage | WaitStage) and stage.timeout_s is None:
        found.discard(TIMEOUT)
    return frozenset(found)


class Flow:
    """The routes of one region as a graph.

    Left out are targets that do not exist and stages named like the ends of routes.
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.stages = {one.name: one for one in region.stages if one.name not in TARGETS}
        self.start = region.stages[0].name if region.stages else COMPLETE
        known = self.stages.keys() | TARGETS
        self.edges: dict[str, dict[str, str]] = {
            name: {
                outcome: target
                for outcome, target in table.items()
                if target in known and outcome in possible_outcomes(self.stages[name])
            }
            for name, table in routes(region.stages).items()
            if name in self.stages
        }

    @property
    def whole(self) -> bool:
        """True when every route leads to something that exists."""
        known = self.stages.keys() | TARGETS
        return all(known.issuperset(stage.on.values()) for stage in self.region.stages)

    @cached_property
    def reached(self) -> frozenset[str]:
        """Stages and ends that some path from the start reaches."""
        return self._closure([self.start])

    def _closure(self, starts: Iterable[str], *, without: str | None = None) -> frozenset[str]:
        """Everything reached from `starts`, not going on from the stage `without`."""
        found: set[str] = set()
        todo = list(starts)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.edges.get(name, {}).values() if name != without else ()
        return frozenset(found)

    def sources(self, stage: str) -> dict[str, frozenset[str]]:
        """Reached stages with a route to `stage`, with the outcomes that take it."""
        return {name: frozenset(taken) for name, taken in self._arrivals.get(stage, {}).items()}

    @cached_property
    def _arrivals(self) -> dict[str, dict[str, set[str]]]:
        found: dict[str, dict[str, set[str]]] = {}
        for name in filter(self.reached.__contains__, self.edges):
            for outcome, target in self.edges[name].items():
                found.setdefault(target, {}).setdefault(name, set()).add(outcome)
        return found

    def gives_nothing(self, stage: str, outcome: str) -> bool:
        """True when the stage may have no output after ending this way."""
        return outcome in _NOTHING_GIVEN and not isinstance(self.stages[stage], ParallelStage)

    def maybe_unfilled(self, source: str, part: str) -> frozenset[str]:
        """Stages that may be entered while the newest `output` or `errors` of `source` is missing.

        Missing before its first visit, and its output also after a visit that gave nothing.
        `exhausted` leaves what was there.
        """
        before = self._closure([self.start], without=source)
        if part == "errors" or source not in self.reached:
            return before
        table = self.edges[source]
        emptied = [to for outcome, to in table.items() if self.gives_nothing(source, outcome)]
        after = self._closure(emptied, without=source)
        if source in after and EXHAUSTED in table:
            after |= self._closure([table[EXHAUSTED]], without=source)
        return before | after

    def endless(self) -> list[str] | None:
        """A loop that nothing bounds, as the stages along it; None when there is none.

        A stage with `max_visits` lets a loop pass only as `exhausted`.
        """
        edges = {name: tuple(self._unbounded(name)) for name in self.edges}
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            loop: list[str] = error.args[1]  # against the routes, and its first stage twice
            return loop[:0:-1]
        return None

    def _unbounded(self, name: str) -> Iterator[str]:
        bounded = self.stages[name].max_visits is not None
        for outcome, target in self.edges[name].items():
            if target in self.stages and (not bounded or outcome == EXHAUSTED):
                yield target
