"""Checks of neighbours: can a stage take what the ones before it give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stagewright.domain.contracts import Contract
from stagewright.domain.definition import AgentStage
from stagewright.domain.errors import Problem, ReferenceInvalid
from stagewright.domain.fit import provably_unfit, template_schema
from stagewright.domain.known_schemas import output_of, root_schema
from stagewright.domain.reference_checks import uses_of
from stagewright.domain.schemas import Schema, accepts_null, at_path
from stagewright.domain.subject import Check, Subject
from stagewright.domain.wiring import Reference


@dataclass(frozen=True, slots=True)
class Source:
    """Where a stage without `with:` gets its input from; `stage` None is the workflow's input."""

    stage: str | None
    schema: Schema
    maybe_null: bool

    def __str__(self) -> str:
        return "the workflow's input" if self.stage is None else f"the output of {self.stage!r}"


def _sources(subject: Subject, stage: str) -> Iterator[Source]:
    """What may be handed to the stage on entry, from every reachable predecessor."""
    flow = subject.homes[stage]
    if stage == flow.start:
        yield from _entry(subject, flow.region.group)
    for name, taken in flow.sources(stage).items():
        empty = frozenset(outcome for outcome in taken if flow.gives_nothing(name, outcome))
        schema = Schema.of({"type": "null"}) if empty == taken else output_of(subject, name)
        yield Source(name, schema, bool(empty))


def _entry(subject: Subject, group: str | None) -> Iterator[Source]:
    if group is None:
        yield Source(None, Schema.of(subject.definition.input), maybe_null=False)
    else:
        yield from _sources(subject, group)


def ambiguous_inputs(subject: Subject) -> Iterator[Problem]:
    """Several predecessors without `with:`, unless what they give is known to fit."""
    for stage in subject.agents():
        sources = list(_sources(subject, stage.name))
        if stage.with_ is not None or len(sources) <= 1 or subject.contract(stage) is not None:
            continue
        given = " or ".join(map(str, sources))
        message = f"Its input is {given}, and its contract is not known."
        remedy = "Say with `with:` what it is given."
        yield subject.problem(stage.name, message, remedy, "with")


def unfit_neighbours(subject: Subject) -> Iterator[Problem]:
    """Stages whose contract can never be satisfied by what they are given."""
    for stage in subject.agents():
        contract = subject.contract(stage)
        if contract is None:
            continue
        if stage.with_ is None:
            yield from _unfit_sources(subject, stage, contract)
        else:
            yield from _unfit_template(subject, stage, contract)


def _unfit_sources(subject: Subject, stage: AgentStage, contract: Contract) -> Iterator[Problem]:
    for source in _sources(subject, stage.name):
        reasons = provably_unfit(source.schema, contract.input)
        if not reasons and source.maybe_null and not accepts_null(contract.input):
            reasons = ["it is null when that stage gave nothing, and null is not accepted"]
        if reasons:
            message = f"{_title(contract)} cannot take {source}: {'; '.join(reasons)}."
            remedy = "Say with `with:` what it is given, or change one of the two contracts."
            yield subject.problem(stage.name, message, remedy, "with")


def _unfit_template(subject: Subject, stage: AgentStage, contract: Contract) -> Iterator[Problem]:
    known: dict[Reference, Schema] = {}
    for use in uses_of(stage):
        root = root_schema(subject, use.reference)
        known[use.reference] = (
            Schema.of(None) if root is None else at_path(root, use.reference.path)
        )
    try:
        given = template_schema(stage.with_, known)
    except ReferenceInvalid:
        return
    reasons = provably_unfit(given, contract.input)
    if reasons:
        message = f"{_title(contract)} cannot take what `with:` gives: {'; '.join(reasons)}."
        remedy = "Change `with:`, or the agent's contract."
        yield subject.problem(stage.name, message, remedy, "with")


def _title(contract: Contract) -> str:
    return f"{contract.name}@{contract.version}"


NEIGHBOUR_CHECKS: tuple[Check, ...] = (ambiguous_inputs, unfit_neighbours)
