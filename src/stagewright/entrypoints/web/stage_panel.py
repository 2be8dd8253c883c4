"""One stage of a workflow: its rounds, attempts, input, output, contract, notes, and a diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.web import history, reading, words
from stagewright.entrypoints.web.diff import Diff, diff_of
from stagewright.entrypoints.web.payloads import AT_ONCE_BYTES, Payload, payload_of
from stagewright.entrypoints.web.reasons import Problem, problems_of
from stagewright.entrypoints.web.timeline import Visit
from stagewright.ports.stage_details import StageDetail
from stagewright.ports.views import StageView, WorkflowView


@dataclass(frozen=True, slots=True)
class Panel:
    """All there is to see of a stage, for one of its rounds."""

    detail: StageDetail
    stage: StageView
    visits: Sequence[Visit]
    visit: Visit | None
    input: Payload | None
    output: Payload | None
    contract: Payload | None
    changes: Diff | None
    """What this round's output changed in that of the round before."""
    notes: Sequence[history.Line]
    problems: Sequence[Problem]
    active: bool


async def panel_of(
    door: Door, view: WorkflowView, visits: Sequence[Visit], stage: str, number: int | None
) -> Panel:
    """Return a stage's panel; without a number of its newest round. NotFound for no such stage."""
    detail = await reading.details_of(door).stage(view.workflow_id, stage)
    own = [visit for visit in visits if visit.stage == stage]
    chosen = next((v for v in own if v.number == number), own[-1] if own else None)
    before = own[own.index(chosen) - 1] if chosen and own.index(chosen) else None
    keys = [before.output if before else None, chosen.output if chosen else None]
    values = await reading.values_of(door, view.workflow_id, keys)
    notes = await reading.notes_of(door, view.workflow_id) if chosen else []
    found = next(one for one in view.stages if one.name == stage)
    newest = bool(own) and chosen is own[-1]
    return Panel(
        detail=detail,
        stage=found,
        visits=own,
        visit=chosen,
        input=payload_of("Input", detail.input) if newest else None,
        output=_output(view.workflow_id, chosen, values),
        contract=_contract(detail),
        changes=_changes(before, chosen, values),
        notes=history.note_lines(_of_visit(notes, stage, chosen)),
        problems=problems_of(chosen.errors) if chosen else (),
        active=newest and found.status == "active",
    )


def _output(workflow_id: str, visit: Visit | None, values: Mapping[str, bytes]) -> Payload | None:
    if visit is None or visit.output is None:
        return None
    href = f"/ui/workflows/{workflow_id}/value?key={quote(visit.output, safe='')}"
    return payload_of("Output", values.get(visit.output), href)


def _contract(detail: StageDetail) -> Payload | None:
    if detail.contract is None:
        return None
    text = words.pretty(detail.contract)
    return Payload("Contract", text, len(text.encode()))


def _changes(before: Visit | None, visit: Visit | None, values: Mapping[str, bytes]) -> Diff | None:
    if before is None or visit is None or before.output is None or visit.output is None:
        return None
    old, new = values.get(before.output), values.get(visit.output)
    if old is None or new is None or max(len(old), len(new)) > AT_ONCE_BYTES:
        return None
    return diff_of(words.pretty_bytes(old), words.pretty_bytes(new))


def _of_visit(
    notes: Sequence[Mapping[str, Any]], stage: str, visit: Visit | None
) -> list[Mapping[str, Any]]:
    number = visit.number if visit else 0
    return [n for n in notes if n.get("stage") == stage and n.get("visit", 1) == number]
