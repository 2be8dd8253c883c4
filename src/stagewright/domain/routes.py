"""Where each outcome of each stage leads: the one place that knows the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stagewright.domain.definition import (
    APPROVED,
    COMPLETE,
    EXHAUSTED,
    FAIL,
    FAILED,
    FAILURES,
    INVALID,
    OK,
    REJECTED,
    TIMEOUT,
    AgentStage,
    ApprovalStage,
    Definition,
    ParallelStage,
    Stage,
    WaitStage,
)

_AGENT = frozenset({OK, APPROVED, REJECTED, FAILED, INVALID, TIMEOUT, EXHAUSTED})
_PARALLEL = frozenset({OK, FAILED, EXHAUSTED})
_APPROVAL = frozenset({APPROVED, REJECTED, TIMEOUT, EXHAUSTED})
_WAIT = frozenset({OK, EXHAUSTED})


@dataclass(frozen=True, slots=True)
class Region:
    """A sequential list of stages: the whole workflow, or one branch of a `parallel`.

    `path` locates the stages inside the definition, as in `stages.2.branches.api`.
    """

    group: str | None
    branch: str | None
    stages: tuple[Stage, ...]
    path: str


def regions(definition: Definition) -> Iterator[Region]:
    """The workflow's own region first, then every branch, outer before inner."""
    yield from _regions(Region(None, None, definition.stages, "stages"))


def _regions(region: Region) -> Iterator[Region]:
    yield region
    for index, stage in enumerate(region.stages):
        if isinstance(stage, ParallelStage):
            path = f"{region.path}.{index}.branches"
            for branch, stages in stage.branches.items():
                yield from _regions(Region(stage.name, branch, stages, f"{path}.{branch}"))


def rule_outcomes(stage: Stage) -> tuple[str, ...]:
    """The outcomes the stage's own rules may yield, each once, in the order written."""
    rules = stage.rules if isinstance(stage, AgentStage | ParallelStage) else ()
    return tuple(dict.fromkeys(rule.outcome for rule in rules))


def outcomes(stage: Stage) -> frozenset[str]:
    """The outcomes the stage can end with; an agent may declare others at run time.

    An agent may use the labels `approved` and `rejected`, so they are among its outcomes.
    """
    if isinstance(stage, AgentStage):
        return _AGENT.union(rule_outcomes(stage))
    if isinstance(stage, ParallelStage):
        ruled = (*rule_outcomes(stage), INVALID) if stage.rules else ()
        return _PARALLEL.union(ruled)
    if isinstance(stage, ApprovalStage):
        return _APPROVAL
    return _wait_outcomes(stage)


def _wait_outcomes(stage: WaitStage) -> frozenset[str]:
    """Only a signal can fail to come in time; only an instant can be unreadable."""
    timeout = (TIMEOUT,) if stage.signal is not None else ()
    invalid = (INVALID,) if stage.until is not None else ()
    return _WAIT.union(timeout, invalid)


def routes(stages: Sequence[Stage]) -> dict[str, dict[str, str]]:
    """Stage name to outcome to target for one region, complete with defaults.

    A target is the name of a stage, `complete` or `fail`. An outcome without an entry is either a
    failure that holds (`on_failure: hold`) or a label that nobody routed.
    """
    following = [*(stage.name for stage in stages), COMPLETE][1:]
    return {
        stage.name: _routes_of(stage, after) for stage, after in zip(stages, following, strict=True)
    }


def _routes_of(stage: Stage, following: str) -> dict[str, str]:
    success = ok_target(stage, following)
    defaults = {OK: success, APPROVED: success}
    if stage.on_failure != "hold":
        defaults |= dict.fromkeys(FAILURES, FAIL if stage.on_failure == "fail" else success)
    table = {name: defaults[name] for name in outcomes(stage) if name in defaults}
    return dict(sorted((table | stage.on).items()))


def ok_target(stage: Stage, following: str) -> str:
    """Where a success without a route of its own goes; also where `skip` goes."""
    fallback = stage.on.get(APPROVED, following) if isinstance(stage, ApprovalStage) else following
    return stage.on.get(OK, fallback)
