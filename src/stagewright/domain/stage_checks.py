"""Checks of what each stage says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from stagewright.domain.contracts import satisfies
from stagewright.domain.definition import AgentStage, ApprovalStage, ParallelStage, WaitStage
from stagewright.domain.errors import Problem, RuleInvalid
from stagewright.domain.rules import compile_rule
from stagewright.domain.schemas import schema_problem
from stagewright.domain.subject import Check, Subject
from stagewright.domain.wiring import reference_text


def broken_rules(subject: Subject) -> Iterator[Problem]:
    """Rules that do not compile or use unknown names."""
    for stage in subject.stages.values():
        if not isinstance(stage, AgentStage | ParallelStage):
            continue
        for index, rule in enumerate(stage.rules):
            try:
                compile_rule(rule)
            except RuleInvalid as error:
                place = f"rules.{index}.when"
                yield subject.problem(stage.name, error.message, error.remedy, place)


def broken_schemas(subject: Subject) -> Iterator[Problem]:
    """JSON Schemas that are none."""
    remedy = "Write a JSON Schema (draft 2020-12)."
    definition = subject.definition
    wrong = None if definition.input is None else schema_problem(definition.input)
    if wrong:
        yield Problem(None, f"`input` is not a JSON Schema: {wrong}", remedy, "input")
    for stage in subject.stages.values():
        if isinstance(stage, ApprovalStage) and stage.form is not None:
            wrong = schema_problem(stage.form)
            if wrong:
                message = f"`form` is not a JSON Schema: {wrong}"
                yield subject.problem(stage.name, message, remedy, "form")


def impossible_joins(subject: Subject) -> Iterator[Problem]:
    """Quorums larger than the group."""
    for stage in subject.stages.values():
        if isinstance(stage, ParallelStage) and stage.needed > len(stage.branches):
            message = f"`{stage.join}` needs more branches than there are ({len(stage.branches)})."
            remedy = f"Use quorum:{len(stage.branches)} or less, or add branches."
            yield subject.problem(stage.name, message, remedy, "join")


def too_few_approvers(subject: Subject) -> Iterator[Problem]:
    """More approvals required than there are people; groups may have any size."""
    for stage in subject.stages.values():
        if not isinstance(stage, ApprovalStage) or not all(map(_is_person, stage.approvers)):
            continue
        people = len(set(stage.approvers))
        if stage.required > people:
            message = f"{stage.required} approvals are required of {people} approver(s)."
            remedy = "Name more approvers, write groups as group:NAME, or lower `required`."
            yield subject.problem(stage.name, message, remedy, "required")


def _is_person(approver: str) -> bool:
    return approver != "*" and not approver.startswith("group:")


_WAIT_KINDS = ("for_s", "until", "signal")


def unclear_waits(subject: Subject) -> Iterator[Problem]:
    """Waits for nothing or for several things."""
    for stage in subject.stages.values():
        if not isinstance(stage, WaitStage):
            continue
        given = [kind for kind in _WAIT_KINDS if getattr(stage, kind) is not None]
        if len(given) != 1:
            message = f"It waits for {' and '.join(given) or 'nothing'}."
            remedy = "Give exactly one of for_s, until and signal."
            yield subject.problem(stage.name, message, remedy)
        elif stage.timeout_s is not None and stage.signal is None:
            message = f"`timeout_s` has no meaning for a wait with {given[0]}."
            yield subject.problem(stage.name, message, "Remove it.", "timeout_s")


def unreadable_instants(subject: Subject) -> Iterator[Problem]:
    """Literal instants that are not RFC 3339 with an offset."""
    for stage in subject.stages.values():
        until = stage.until if isinstance(stage, WaitStage) else None
        if until is None or reference_text(until) is not None or _is_instant(until):
            continue
        message = f"`until` is {until!r}, which is no instant."
        remedy = "Write RFC 3339, as in 2030-01-31T09:00:00Z, or {from: input.FIELD}."
        yield subject.problem(stage.name, message, remedy, "until")


def _is_instant(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def unmet_requirements(subject: Subject) -> Iterator[Problem]:
    """Agents that are known, but not in the required version."""
    for stage in subject.stages.values():
        contract = subject.known_contract(stage)
        if contract is None or not isinstance(stage, AgentStage):
            continue
        if not satisfies(stage.agent, contract.version):
            message = f"It requires {stage.agent}, but the agent has version {contract.version}."
            remedy = f"Require {contract.name}@^{'.'.join(contract.version.split('.')[:2])}."
            yield subject.problem(stage.name, message, remedy, "agent")


STAGE_CHECKS: tuple[Check, ...] = (
    broken_rules,
    broken_schemas,
    impossible_joins,
    too_few_approvers,
    unclear_waits,
    unreadable_instants,
    unmet_requirements,
)
