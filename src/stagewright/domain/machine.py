"""The state machine of one sequential region, compiled from routes and asked once per question.

A live library machine costs over 100 µs and 12 kB, so none is kept per workflow: the library
decides each distinct (state, outcome) once and the answer is memoised in a bounded table. Machines
here have no side effects, guards or timers; what a transition brings is the kernel's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from statemachine import StateChart
from statemachine.exceptions import TransitionNotAllowed
from statemachine.io import create_machine_class_from_definition

from stagewright.domain.definition import TARGETS

MEMO_LIMIT = 100_000


class Step(NamedTuple):
    """Where a region stands after an event."""

    state: str
    """A stage's name, `complete` or `fail`."""
    ended: bool


class Machine:
    """The machine of one region. States are its stages, events are outcomes."""

    __slots__ = ("_chart", "_memo", "_table", "start")

    def __init__(self, start: str, table: Mapping[str, Mapping[str, str]]) -> None:
        """`table` gives stage -> outcome -> target, as `routes` computes it."""
        self.start = start
        self._table = table
        self._chart: type[StateChart[Any]] | None = None
        self._memo: dict[tuple[str, str], Step | None] = {}

    def step(self, state: str, outcome: str) -> Step | None:
        """Return where `outcome` leads from `state`; None when nowhere: the stage holds."""
        key = (state, outcome)
        try:
            return self._memo[key]
        except KeyError:
            answer = self._ask(state, outcome)
            if len(self._memo) < MEMO_LIMIT:
                self._memo[key] = answer
            return answer

    def _ask(self, state: str, outcome: str) -> Step | None:
        if self._chart is None:
            self._chart = _compile(self.start, self._table)
        machine = self._chart(start_value=state)
        try:
            machine.send(_event(outcome))
        except TransitionNotAllowed:
            return None
        (reached,) = machine.configuration_values
        return Step(str(reached), machine.is_terminated)


def _compile(start: str, table: Mapping[str, Mapping[str, str]]) -> type[StateChart[Any]]:
    """Build the library's class. Ids are made up, since names need not be identifiers."""
    ids = {name: f"s{number}" for number, name in enumerate(table)}
    ids |= {target: f"t_{target}" for target in TARGETS}
    states: dict[str, Any] = {
        ids[name]: {
            "value": name,
            "initial": name == start,
            "on": {_event(outcome): [{"target": ids[to]}] for outcome, to in routes.items()},
        }
        for name, routes in table.items()
    }
    states |= {ids[name]: {"value": name, "final": True} for name in sorted(TARGETS)}
    return create_machine_class_from_definition(
        "Region",
        states,
        allow_event_without_transition=False,
        catch_errors_as_events=False,
        # What these would find, `checks` reports first and in the user's own words.
        validate_disconnected_states=False,
        validate_final_reachability=False,
        validate_trap_states=False,
    )


def _event(outcome: str) -> str:
    # A prefix keeps outcomes such as `send` or `on_enter` away from the library's own names.
    return f"outcome_{outcome}"
