"""The Python spelling of definitions; it loads to objects equal to those of the YAML spelling.

Stages are described by mutable objects that may refer to one another, also forwards and by name.
Whether it all makes sense is checked when `Workflow.definition` is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from stagewright.domain.checks import require_sound
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Definition, Retry, Rule
from stagewright.domain.errors import DefinitionError, Problem
from stagewright.domain.parsing import parse_definition
from stagewright.domain.spelling import (
    HasContract,
    Ref,
    Unwritable,
    has_contract,
    requirement_of,
    schema_of,
)
from stagewright.domain.stage_builders import (
    AgentStageBuilder,
    ApprovalBuilder,
    GroupBuilder,
    Stageable,
    StageBuilder,
    StageLike,
    WaitBuilder,
    as_stage,
)

__all__ = [
    "HasContract",
    "Retry",
    "StageBuilder",
    "Stageable",
    "Workflow",
    "approval",
    "has_contract",
    "parallel",
    "rule",
    "stage",
    "wait",
]


def rule(when: str, outcome: str) -> dict[str, str]:
    """A CEL condition over `output`, `input` and `visit`, and the outcome it gives."""
    return {"when": when, "outcome": outcome}


def stage(  # noqa: PLR0913 - the fields of an agent stage, each optional
    name: str | HasContract | None = None,
    agent: str | HasContract | None = None,
    *,
    with_: Any = None,
    on: Mapping[str, StageLike] | None = None,
    retry: Retry | Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
    max_visits: int | None = None,
    rules: Sequence[Mapping[str, str] | Rule] | None = None,
    repairs: int | None = None,
    on_failure: str | None = None,
    description: str | None = None,
) -> StageBuilder:
    """Work for an agent: an agent object, or `"scaffold@^1"`. Name and agent default to each other.

    What is left out has the defaults of the definition format.
    """
    given = name if agent is None else agent
    requirement = requirement_of(given or "")
    label = name if isinstance(name, str) else requirement.partition("@")[0]
    fields = {
        "agent": requirement,
        "with": with_,
        "retry": _retry(retry),
        "timeout_s": timeout_s,
        "max_visits": max_visits,
        "rules": _rules(rules),
        "repairs": repairs,
        "on_failure": on_failure,
        "description": description,
    }
    done_by = given if has_contract(given) else None
    return AgentStageBuilder(label, fields, done_by).on(**(on or {}))


def _retry(retry: Retry | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return (
        retry.model_dump(mode="json", exclude_defaults=True) if isinstance(retry, Retry) else retry
    )


def _rules(rules: Sequence[Mapping[str, str] | Rule] | None) -> list[dict[str, str]] | None:
    if rules is None:
        return None
    return [one.model_dump() if isinstance(one, Rule) else dict(one) for one in rules]


def parallel(  # noqa: PLR0913 - the fields of a group
    name: str,
    join: str = "all",
    *,
    branches: Mapping[str, StageLike | Sequence[StageLike]] | None = None,
    on: Mapping[str, StageLike] | None = None,
    rules: Sequence[Mapping[str, str] | Rule] | None = None,
    max_visits: int | None = None,
    on_failure: str | None = None,
    description: str | None = None,
    **named: StageLike | Sequence[StageLike],
) -> StageBuilder:
    """Branches side by side, each a stage or a list of stages; `join` is all, any or quorum:N.

    Branches come as keywords, or in `branches` when their names are no Python names.
    """
    fields = {
        "kind": "parallel",
        "join": join,
        "rules": _rules(rules),
        "max_visits": max_visits,
        "on_failure": on_failure,
        "description": description,
    }
    twice = named.keys() & (branches or {}).keys()
    if twice:
        message = f"Branch {min(twice)!r} stands twice."
        raise DefinitionError(name, [Problem(name, message, "Rename one of the two.")])
    return GroupBuilder(name, fields, {**(branches or {}), **named}).on(**(on or {}))


def approval(  # noqa: PLR0913 - the fields of an approval
    name: str,
    *,
    approvers: Sequence[str],
    required: int | None = None,
    show: Any = None,
    form: Any = None,
    timeout_s: float | None = None,
    on: Mapping[str, StageLike] | None = None,
    max_visits: int | None = None,
    on_failure: str | None = None,
    description: str | None = None,
) -> StageBuilder:
    """A decision by people. `form` is a pydantic model or a JSON Schema."""
    fields = {
        "kind": "approval",
        "approvers": [approvers] if isinstance(approvers, str) else list(approvers),
        "required": required,
        "show": show,
        "form": form,
        "timeout_s": timeout_s,
        "max_visits": max_visits,
        "on_failure": on_failure,
        "description": description,
    }
    return ApprovalBuilder(name, fields).on(**(on or {}))


def wait(  # noqa: PLR0913 - the fields of a wait
    name: str,
    *,
    for_s: float | None = None,
    until: Any = None,
    signal: str | None = None,
    timeout_s: float | None = None,
    on: Mapping[str, StageLike] | None = None,
    max_visits: int | None = None,
    on_failure: str | None = None,
    description: str | None = None,
) -> StageBuilder:
    """A pause: for seconds, until an instant (datetime, RFC 3339 or reference), or for a signal."""
    fields = {
        "kind": "wait",
        "for_s": for_s,
        "until": until,
        "signal": signal,
        "timeout_s": timeout_s,
        "max_visits": max_visits,
        "on_failure": on_failure,
        "description": description,
    }
    return WaitBuilder(name, fields).on(**(on or {}))


class Workflow:
    """A workflow in Python. `Workflow.input` refers to its input, as in `Workflow.input.title`."""

    input: ClassVar[Ref] = Ref("input")

    def __init__(
        self,
        name: str,
        *stages: StageLike,
        version: str | None = None,
        description: str | None = None,
        input: Any = None,  # noqa: A002 - its name in the definition
        deadline_s: float | None = None,
        labels: Mapping[str, str] | None = None,
        priority: int | str | None = None,
    ) -> None:
        self.name = name
        self.version = version or "1.0.0"
        self.stages: tuple[StageBuilder, ...] = tuple(map(as_stage, stages))
        self._input = input
        self._fields = {
            "version": version,
            "description": description,
            "deadline_s": deadline_s,
            "labels": None if labels is None else dict(labels),
            "priority": priority,
        }

    @cached_property
    def definition(self) -> Definition:
        """The definition, checked against the contracts of its agents; raises DefinitionError."""
        return require_sound(parse_definition(self.data()), self.contracts)

    @property
    def agents(self) -> tuple[HasContract, ...]:
        """The agent objects its stages were given, each once, in order."""
        found = [one.agent for one in _everything(self.stages) if one.agent is not None]
        return tuple({id(agent): agent for agent in found}.values())

    @property
    def contracts(self) -> dict[str, Contract]:
        """The contracts of its agent objects by agent name."""
        return {agent.contract.name: agent.contract for agent in self.agents}

    def data(self) -> dict[str, Any]:
        """The definition as it would stand in YAML; raises DefinitionError."""
        try:
            written = {key: value for key, value in self._fields.items() if value is not None}
            if self._input is not None:
                written["input"] = schema_of(self._input, f"input= of workflow {self.name}")
            stages = [one.data() for one in self.stages]
        except Unwritable as error:
            raise DefinitionError(self.name, [error.problem]) from error
        return {"name": self.name, **written, "stages": stages}

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


def _everything(stages: Iterable[StageBuilder]) -> Iterable[StageBuilder]:
    for one in stages:
        yield one
        yield from _everything(one.inner())
