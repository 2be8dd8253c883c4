"""Runs a workflow in virtual time, for tests of what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagewright.domain.builder import Workflow
from stagewright.entrypoints.embedded import Result
from stagewright.entrypoints.failure import failure_of
from stagewright.ports.views import WorkflowView
from stagewright.testing.clock import VirtualClock
from stagewright.testing.doubles import agents_for
from stagewright.testing.faults import Faults
from stagewright.testing.loop import run_virtually
from stagewright.testing.people import Decided, People
from stagewright.testing.quiet import quiet
from stagewright.testing.trial import CALM, During, Play, Trial


def run(
    workflow: Workflow,
    input: Any = None,  # noqa: A002 - its name in the definition
    *,
    agents: Mapping[str, Any] | None = None,
    approvals: Mapping[str, Decided | list[Decided]] | None = None,
    signals: Mapping[str, Any] | None = None,
    during: During | None = None,
) -> Result:
    """Run to the end in virtual time: a wait of 30 days takes milliseconds.

    `agents` replaces agents by name: with functions of the task (and the context), or with the
    value to answer. `approvals` says by stage what people decide: `"approve"`, `"reject"`, a
    mapping with `decision`, `by`, `reason` and `data`, or a list with one for each round. `signals`
    are sent by name when they are waited for. `during(flow)` may act through `flow.client`.

    Raise WorkflowFailed when it ends otherwise than by completing, and Waits when it waits for
    somebody who is not in the test. May be called with or without a running event loop.
    """
    play = prepared(workflow, input, agents, People(approvals or {}, signals or {}), during)
    view = played(play)
    if view.status != "completed":
        raise failure_of(view)
    return Result(view.workflow_id, view.status, view.output, view)


def prepared(
    workflow: Workflow,
    given: Any,
    agents: Mapping[str, Any] | None,
    people: People,
    during: During | None,
) -> Play:
    """Return what is to be run; ConfigurationError, DefinitionError when it cannot be."""
    cast = agents_for(workflow, workflow.definition, agents or {})
    return Play(workflow, given, cast, people, during)


def played(play: Play) -> WorkflowView:
    """Run it once, in peace."""
    clock = VirtualClock()
    with quiet():
        return run_virtually(clock, Trial(play, clock, Faults(), CALM).run)
