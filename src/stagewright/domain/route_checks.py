"""Checks of names and routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stagewright.domain.definition import COMPLETE, FAILURES, OK, TARGETS, Stage
from stagewright.domain.errors import Problem, listing
from stagewright.domain.flow import possible_outcomes
from stagewright.domain.routes import routes, rule_outcomes
from stagewright.domain.subject import Check, Subject
from stagewright.domain.suggestions import closest


def duplicate_names(subject: Subject) -> Iterator[Problem]:
    """Names that several stages have."""
    counts = Counter(stage.name for stage in subject.definition.every_stage())
    for name, count in counts.items():
        if count > 1:
            remedy = "Rename all but one: names are unique in the whole definition, with branches."
            yield subject.problem(name, f"{count} stages have the name {name!r}.", remedy)


def reserved_names(subject: Subject) -> Iterator[Problem]:
    """Stages named like the ends of routes."""
    for name in sorted(TARGETS & subject.stages.keys()):
        remedy = "Rename it: complete and fail are where routes end."
        yield subject.problem(name, f"The name {name!r} is reserved.", remedy)


def empty_branches(subject: Subject) -> Iterator[Problem]:
    """Branches without a start."""
    for region in subject.regions:
        if not region.stages:
            message = f"Branch {region.branch!r} has no stages, so it has no start."
            remedy = "List at least one stage in it; the first one is its start."
            yield Problem(region.group, message, remedy, region.path)


def unknown_targets(subject: Subject) -> Iterator[Problem]:
    """Routes to what does not exist, or that leave their branch."""
    for region in subject.regions:
        known = {stage.name for stage in region.stages} | TARGETS
        for stage in region.stages:
            for outcome, target in stage.on.items():
                if target not in known:
                    yield _unknown_target(subject, stage, outcome, known)


def _unknown_target(subject: Subject, stage: Stage, outcome: str, known: set[str]) -> Problem:
    target = stage.on[outcome]
    elsewhere = target in subject.stages
    what = "is not in the same branch" if elsewhere else "does not exist"
    remedy = (
        "Routes stay inside their branch: end it with complete or fail and route the group."
        if elsewhere
        else closest(target, known)
    )
    message = f"Outcome {outcome!r} leads to {target!r}, which {what}. Known: {listing(known)}."
    return subject.problem(stage.name, message, remedy, f"on.{outcome}")


def unreachable_stages(subject: Subject) -> Iterator[Problem]:
    """Stages that no path from the start reaches."""
    for flow in filter(lambda flow: flow.whole, subject.flows):
        for name in (name for name in flow.stages if name not in flow.reached):
            message = f"No route reaches it from {flow.start!r}, where its part starts."
            yield subject.problem(name, message, "Route an outcome to it, or remove it.")


def unreachable_end(subject: Subject) -> Iterator[Problem]:
    """Parts that can never succeed."""
    for flow in filter(lambda flow: flow.whole, subject.flows):
        if flow.stages and COMPLETE not in flow.reached:
            part = f"branch {flow.region.branch!r}" if flow.region.branch else "the workflow"
            last = flow.region.stages[-1].name
            message = f"No route leads to complete, so {part} can never succeed."
            remedy = f"Route an outcome to complete, for example ok of {last!r}."
            yield Problem(flow.region.group, message, remedy, flow.region.path)


def unrouted_outcomes(subject: Subject) -> Iterator[Problem]:
    """Outcomes of rules and contracts that lead nowhere."""
    for region in subject.regions:
        tables = routes(region.stages)
        for stage in region.stages:
            known = tables[stage.name]
            for outcome in _promised(subject, stage):
                if outcome not in known and outcome not in FAILURES:
                    message = f"Outcome {outcome!r} has no route. Routed: {listing(known)}."
                    remedy = f"Add `{outcome}: STAGE` (or complete, or fail) to its `on:`."
                    yield subject.problem(stage.name, message, remedy, "on")


def _promised(subject: Subject, stage: Stage) -> tuple[str, ...]:
    contract = subject.contract(stage)
    declared = contract.outcomes if contract else ()
    return tuple(dict.fromkeys((*rule_outcomes(stage), *declared)))


def impossible_outcomes(subject: Subject) -> Iterator[Problem]:
    """Routes for what cannot happen; agents may declare any label at run time."""
    for stage in subject.stages.values():
        possible = possible_outcomes(stage) | {OK}
        for outcome in sorted(stage.on.keys() - possible):
            message = f"Outcome {outcome!r} cannot occur. Possible: {listing(possible)}."
            needs = _NEEDS.get(outcome, "")
            yield subject.problem(stage.name, message, f"Remove the route{needs}.", f"on.{outcome}")


_NEEDS = {"exhausted": ", or set max_visits", "timeout": ", or set timeout_s"}


def endless_loops(subject: Subject) -> Iterator[Problem]:
    """Loops without a stage that bounds them."""
    for flow in subject.flows:
        loop = flow.endless()
        if loop is None:
            continue
        path = " -> ".join((*loop, loop[0]))
        bounded = [name for name in loop if flow.stages[name].max_visits is not None]
        message = f"The loop {path} has no bound."
        remedy = f"Set max_visits on one of its stages, for example {loop[0]!r}."
        if bounded:
            message = f"The loop {path} goes on after max_visits of {bounded[0]!r} is used up."
            remedy = f"Route exhausted of {bounded[0]!r} out of the loop."
        yield subject.problem(loop[0], message, remedy)


ROUTE_CHECKS: tuple[Check, ...] = (
    duplicate_names,
    reserved_names,
    empty_branches,
    unknown_targets,
    unreachable_stages,
    unreachable_end,
    unrouted_outcomes,
    impossible_outcomes,
    endless_loops,
)
