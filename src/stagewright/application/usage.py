"""What agents reported that they used, summed from the log of their workflow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from stagewright.domain.workflow import WorkflowState
from stagewright.ports.views import UsageView
from stagewright.ports.workflow_store import IWorkflowStore

PAGE = 1_000
STEPS_READ = 10_000
"""A longer log is summed from its newest steps only, and says so."""
HELD = 500
"""Workflows whose sums are kept, so that the next look reads only what came since."""


@dataclass(slots=True)
class Sums:
    """Amounts by name, in total and by stage, up to a step."""

    step: int = 0
    step_id: str = ""
    complete: bool = True
    total: dict[str, float] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)

    def view(self) -> UsageView:
        """Return what people see; sums of decimals are rounded to what they can mean."""
        return UsageView(
            total=_rounded(self.total),
            stages={stage: _rounded(amounts) for stage, amounts in sorted(self.stages.items())},
            complete=self.complete,
        )

    def add(self, step: Mapping[str, Any]) -> None:
        """Count what the events of one step report."""
        for event in step["events"]:
            usage = event.get("usage")
            if usage:
                accumulate(self.total, usage)
                accumulate(self.stages.setdefault(event["stage"], {}), usage)
        self.step, self.step_id = step["n"], step["id"]


class UsageLog:
    """Reads each log once. What was read holds as long as the log still goes on from there."""

    def __init__(self, store: IWorkflowStore) -> None:
        self._store = store
        self._held: OrderedDict[str, Sums] = OrderedDict()

    async def of(self, state: WorkflowState) -> UsageView:
        """Return the sums up to this state's step, or one a moment later."""
        sums = self._held.get(state.workflow_id)
        if sums is None or (sums.step, sums.step_id) != (state.step, state.step_id):
            sums = await self._read(state, sums)
            self._held[state.workflow_id] = sums
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(state.workflow_id)
        return sums.view()

    async def _read(self, state: WorkflowState, known: Sums | None) -> Sums:
        """Go on behind what is known; begin again when the log has another past by now."""
        first = max(0, state.step - STEPS_READ)
        if known is None or not max(first, 1) <= known.step <= state.step:
            sums, after = Sums(complete=first == 0), first
        else:
            sums, after = known, known.step - 1
        while page := await self._store.log(state.workflow_id, "steps", after, PAGE):
            for step in _parsed(page):
                other_past = step["n"] == sums.step and step["id"] != sums.step_id
                if other_past and known is not None:
                    return await self._read(state, None)
                if step["n"] > sums.step:
                    sums.add(step)
            after += len(page)
            if len(page) < PAGE:
                break
        return sums


def _parsed(page: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    return map(orjson.loads, page)


def accumulate(sums: dict[str, float], usage: Mapping[str, Any]) -> None:
    """Add amounts to sums by name."""
    for name, amount in usage.items():
        if isinstance(amount, int | float):
            sums[name] = sums.get(name, 0) + amount


def _rounded(amounts: Mapping[str, float]) -> dict[str, float]:
    return {name: round(amount, 9) for name, amount in sorted(amounts.items())}
