"""What holds for every definition and every walk through it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given, settings

from stagewright.domain.definition import Definition
from stagewright.domain.events import decode_step
from stagewright.domain.evolve import apply_step
from stagewright.domain.plan import Plan
from stagewright.domain.references import output_keys
from stagewright.domain.snapshot import encode_state
from stagewright.domain.workflow import TaskWait
from tests.unit.domain.chart import Chart
from tests.unit.domain.kernel import Kernel
from tests.unit.domain.strategies import (
    FAILURES,
    LABELS,
    definitions,
    machine_definitions,
    walks,
)
from tests.unit.domain.wanderer import MOVES, wandered

OUTCOMES = ("ok", "approved", "rejected", *LABELS, *FAILURES)

Walk = list[tuple[str, int, int]]


def waiting_tasks(flow: Kernel) -> list[str]:
    return [s for s, w in sorted(flow.now.awaiting.items()) if isinstance(w, TaskWait)]


# --- the machine against the library's own --------------------------------------------------------


@settings(max_examples=100)
@given(machine_definitions(), walks(*OUTCOMES))
def test_regions_and_joins_go_where_the_librarys_own_whole_chart_goes(
    definition: Definition, walk: Walk
) -> None:
    chart, flow = Chart(definition), Kernel(Plan(definition), proving=False)
    flow.start()
    for outcome, which, _ in walk:
        if not (ready := waiting_tasks(flow)):
            break
        stage = ready[which % len(ready)]
        flow.ok(stage, outcome=None if outcome == "ok" else outcome)
        chart.tell(stage, outcome)
        ended = flow.now.status.terminal
        assert chart.end == (flow.now.status.value if ended else None)
        assert ended or chart.active == flow.active


# --- replay ---------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(definitions(), walks(*MOVES))
def test_any_log_replays_to_its_snapshot_byte_for_byte(definition: Definition, walk: Walk) -> None:
    flow = wandered(definition, walk)  # each step was replayed from its bytes on the way
    replayed = flow.replayed()
    assert replayed is not None
    assert encode_state(replayed) == encode_state(flow.now)


@settings(max_examples=40)
@given(definitions(), walks(*MOVES))
def test_a_process_that_knows_only_what_was_stored_decides_the_same(
    definition: Definition, walk: Walk
) -> None:
    remembering = wandered(definition, walk)
    forgetting = wandered(definition, walk, forget=True)
    assert forgetting.log == remembering.log
    assert forgetting.stored == remembering.stored


@settings(max_examples=80)
@given(definitions(), walks(*MOVES))
def test_every_output_that_a_snapshot_names_is_referred_to(
    definition: Definition, walk: Walk
) -> None:
    flow, state = wandered(definition, walk), None
    for body in flow.log:
        state = apply_step(flow.workflow_id, state, decode_step(body))
        named = set(strings_in(orjson.loads(encode_state(state))))
        assert named & flow.stored.keys() <= output_keys(state)


def strings_in(value: Any) -> Iterator[str]:
    """Yield all text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings_in(inner)


# --- promises -------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(definitions(), walks(*MOVES))
def test_whatever_comes_in_whatever_order_no_promise_is_broken(
    definition: Definition, walk: Walk
) -> None:
    flow = wandered(definition, walk)  # which checks every promise after every move
    assert flow.log
