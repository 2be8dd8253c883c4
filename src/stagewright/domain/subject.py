"""What checks look at: a definition with everything looked up by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from stagewright.domain.contracts import Contract, satisfies
from stagewright.domain.definition import AgentStage, Definition, Stage
from stagewright.domain.errors import Problem
from stagewright.domain.flow import Flow
from stagewright.domain.routes import Region, regions


class Subject:
    """A definition under examination. Of stages with one name, the first is looked up."""

    def __init__(self, definition: Definition, contracts: Mapping[str, Contract]) -> None:
        self.definition = definition
        self.contracts = contracts
        self.regions: tuple[Region, ...] = tuple(regions(definition))
        self.flows: tuple[Flow, ...] = tuple(map(Flow, self.regions))
        self.stages: dict[str, Stage] = {}
        self.paths: dict[str, str] = {}
        self.homes: dict[str, Flow] = {}
        for flow in self.flows:
            self._add(flow)

    def _add(self, flow: Flow) -> None:
        for index, stage in enumerate(flow.region.stages):
            if self.stages.setdefault(stage.name, stage) is stage:
                self.paths[stage.name] = f"{flow.region.path}.{index}"
                self.homes[stage.name] = flow

    def problem(self, stage: str, message: str, remedy: str, place: str = "") -> Problem:
        """A problem of a stage; `place` is where inside the stage."""
        path = f"{self.paths[stage]}.{place}" if place else self.paths[stage]
        return Problem(stage, message, remedy, path)

    def known_contract(self, stage: Stage) -> Contract | None:
        """The contract known for the stage's agent, in whatever version."""
        if not isinstance(stage, AgentStage):
            return None
        return self.contracts.get(stage.agent.partition("@")[0])

    def contract(self, stage: Stage) -> Contract | None:
        """The contract of the stage's agent when known, in a version that was asked for."""
        known = self.known_contract(stage)
        if known is None or not isinstance(stage, AgentStage):
            return None
        return known if satisfies(stage.agent, known.version) else None

    def enclosing(self, stage: str) -> Iterator[str]:
        """The stage itself, then the groups around it from the inside out."""
        yield stage
        while (group := self.homes[stage].region.group) is not None:
            yield group
            stage = group

    def agents(self) -> Iterator[AgentStage]:
        """All stages done by agents."""
        return (stage for stage in self.stages.values() if isinstance(stage, AgentStage))


Check = Callable[[Subject], Iterator[Problem]]
"""Yields what is wrong with a definition in one respect."""
