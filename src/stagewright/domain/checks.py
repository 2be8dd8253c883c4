"""Is the definition sound? `CHECKS` is the table of everything that is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Definition
from stagewright.domain.errors import DefinitionError, Problem
from stagewright.domain.neighbour_checks import NEIGHBOUR_CHECKS
from stagewright.domain.reference_checks import REFERENCE_CHECKS
from stagewright.domain.route_checks import ROUTE_CHECKS
from stagewright.domain.stage_checks import STAGE_CHECKS
from stagewright.domain.subject import Check, Subject

CHECKS: tuple[Check, ...] = (*ROUTE_CHECKS, *STAGE_CHECKS, *REFERENCE_CHECKS, *NEIGHBOUR_CHECKS)
"""Every check, in the order their problems are listed. None repeats what another reports."""


def check(definition: Definition, contracts: Mapping[str, Contract] | None = None) -> list[Problem]:
    """Everything that is wrong with a definition, in the order of the table below.

    `contracts` are those of the agents by agent name; without them (or without one of them) what
    depends on a contract is not checked.
    """
    subject = Subject(definition, contracts or {})
    return [problem for one in CHECKS for problem in one(subject)]


def require_sound(
    definition: Definition, contracts: Mapping[str, Contract] | None = None
) -> Definition:
    """The definition itself when nothing is wrong with it; raises DefinitionError."""
    problems = check(definition, contracts)
    if problems:
        raise DefinitionError(definition.name, problems)
    return definition
