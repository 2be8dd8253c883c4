"""Stages while they are being described in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagewright.domain.contracts import Contract
from stagewright.domain.errors import DefinitionError, Problem
from stagewright.domain.spelling import (
    HasContract,
    Ref,
    Unwritable,
    has_contract,
    input_template,
    requirement_of,
    schema_of,
)

StageLike = Any
"""A StageBuilder, an agent object, or (as a target of a route) a name."""


class StageBuilder:
    """One stage while it is being described. `output` and `errors` are for `with_=` of others."""

    def __init__(
        self, name: str, fields: Mapping[str, Any], agent: HasContract | None = None
    ) -> None:
        self.name = name
        self.agent = agent
        self._fields = dict(fields)
        self._routes: dict[str, StageLike] = {}

    def on(self, /, **routes: StageLike) -> StageBuilder:
        """Add routes: outcome to stage, name, `"complete"` or `"fail"`; returns the stage."""
        self._routes.update(routes)
        return self

    @property
    def output(self) -> Ref:
        """The stage's newest output."""
        return Ref(f"stages.{self.name}.output")

    @property
    def errors(self) -> Ref:
        """The errors of the stage's newest visit."""
        return Ref(f"stages.{self.name}.errors")

    def inner(self) -> Iterable[StageBuilder]:
        """The stages inside; only groups have any."""
        return ()

    def data(self) -> dict[str, Any]:
        """The stage as it would stand in YAML; raises Unwritable."""
        routes = {outcome: _target(self.name, to) for outcome, to in self._routes.items()}
        given = {key: value for key, value in self._fields.items() if value is not None}
        return {"name": self.name, **given} | ({"on": routes} if routes else {})

    def __repr__(self) -> str:
        return f"<stage {self.name}>"


class AgentStageBuilder(StageBuilder):
    """A stage that an agent does."""

    def data(self) -> dict[str, Any]:
        """As for every stage, with `with` written down."""
        written = super().data()
        if "with" in written:
            written["with"] = input_template(written["with"], f"with_= of stage {self.name}")
        return written


class ApprovalBuilder(StageBuilder):
    """A stage in which people decide."""

    def data(self) -> dict[str, Any]:
        """As for every stage, with `show` and `form` written down."""
        written = super().data()
        if "show" in written:
            written["show"] = input_template(written["show"], f"show= of stage {self.name}")
        if "form" in written:
            written["form"] = schema_of(written["form"], f"form= of stage {self.name}")
        return written


class WaitBuilder(StageBuilder):
    """A stage that waits."""

    def data(self) -> dict[str, Any]:
        """As for every stage, with `until` written down."""
        written = super().data()
        if "until" in written:
            written["until"] = input_template(written["until"], f"until= of stage {self.name}")
        return written


class GroupBuilder(StageBuilder):
    """Branches side by side."""

    def __init__(
        self, name: str, fields: Mapping[str, Any], branches: Mapping[str, StageLike]
    ) -> None:
        super().__init__(name, fields)
        self.branches = {
            branch: tuple(map(as_stage, members if _is_list(members) else (members,)))
            for branch, members in branches.items()
        }

    def inner(self) -> Iterable[StageBuilder]:
        """The stages of all branches."""
        return (one for members in self.branches.values() for one in members)

    def data(self) -> dict[str, Any]:
        """As for every stage, with the branches."""
        branches = {name: [one.data() for one in inner] for name, inner in self.branches.items()}
        return {**super().data(), "branches": branches}


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


class Stageable:
    """For agents: lets the agent itself stand where a stage of its name is meant."""

    contract: Contract

    def on(self, /, **routes: StageLike) -> StageBuilder:
        """A stage named like the agent, with these routes."""
        return as_stage(self).on(**routes)

    @property
    def output(self) -> Ref:
        """The newest output of the stage named like the agent."""
        return as_stage(self).output

    @property
    def errors(self) -> Ref:
        """The errors of the newest visit of the stage named like the agent."""
        return as_stage(self).errors


def as_stage(value: StageLike) -> StageBuilder:
    """A stage as it is; an agent as a stage of its name; raises DefinitionError for the rest."""
    if isinstance(value, StageBuilder):
        return value
    if has_contract(value):
        contract = value.contract
        return AgentStageBuilder(contract.name, {"agent": requirement_of(value)}, value)
    message = f"{value!r} is neither a stage nor an agent."
    remedy = "Use stage(...), parallel(...), approval(...), wait(...) or an @agent function."
    raise DefinitionError("in Python", [Problem(None, message, remedy)])


def _target(source: str, target: StageLike) -> str:
    if isinstance(target, str):
        return target
    if isinstance(target, StageBuilder):
        return target.name
    if has_contract(target):
        return target.contract.name
    remedy = "Route to a stage, its name, 'complete' or 'fail'."
    raise Unwritable(f"a route of stage {source}", target, remedy)
