"""The page of one workflow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.web import diagram, history, payloads, reading, reasons, stage_panel
from stagewright.entrypoints.web import timeline as times
from stagewright.entrypoints.web.rendering import now_of, page
from stagewright.ports.views import WorkflowView

router = APIRouter(include_in_schema=False)

Id = Annotated[str, Path(max_length=200)]
Tab = Literal["timeline", "diagram", "events"]
_EVENTS = 300
_ALL_ROWS = 5_000


@router.get("/workflows/{workflow_id}", dependencies=[needs(Scope.READ)])
async def show(
    request: Request,
    door: TheDoor,
    workflow_id: Id,
    tab: Tab = "timeline",
    stage: Annotated[str | None, Query(max_length=100)] = None,
    visit: Annotated[int | None, Query(ge=1)] = None,
    rows: Annotated[int, Query(ge=1, le=_ALL_ROWS)] = times.FOLD_ROWS,
) -> Response:
    """Return the page, or its main part when it is asked for again."""
    view = await door.queries.show(workflow_id)
    steps = await reading.steps_of(door, view)
    visits = times.visits_from_stages(view.stages) if steps is None else times.visits_of(steps)
    context = _context(view, visits, now_of(request), rows, partial=steps is None)
    if tab == "diagram":
        context["diagram_data"] = await _diagram(door, view, visits)
    if tab == "events":
        context["lines"] = await _lines(door, view)
    if stage is not None:
        context["panel"] = await stage_panel.panel_of(door, view, visits, stage, visit)
    context.update(tab=tab, stage=stage, visit=visit, rows=rows)
    return page(request, "workflow.html", context)


def _context(
    view: WorkflowView, visits: list[times.Visit], now_ms: int, rows: int, *, partial: bool
) -> dict[str, Any]:
    found, total = reasons.reasons_of(view)
    ended_ms, over = view.finished_at_ms or now_ms, view.status in reasons.TERMINAL
    failure = reasons.failure_of(view)
    return {
        "title": f"{view.name} {view.workflow_id[-8:]}",
        "nav": "workflows",
        "live": None if over else f"/api/v1/workflows/{view.workflow_id}/events",
        "fresh": True,
        "view": view,
        "reasons": [r for r in found if not (failure and r.state.word == "Held")],
        "more_reasons": total - len(found),
        "failure": failure,
        "failed_visit": _newest(visits, failure.stage if failure else None),
        "buttons_for_all": reasons.buttons_of(view),
        "took_ms": ended_ms - view.created_at_ms,
        "timeline": times.timeline_of(
            visits,
            view.stages,
            started_ms=view.created_at_ms,
            ended_ms=ended_ms,
            waiting=reading.kinds_of(view),
            limit=rows,
            partial=partial,
        ),
        "input": payloads.payload_of_value("Input", view.input),
        "output": payloads.payload_of_value("Output", view.output),
        "panel": None,
    }


def _newest(visits: list[times.Visit], stage: str | None) -> times.Visit | None:
    return next((visit for visit in reversed(visits) if visit.stage == stage), None)


async def _diagram(door: Door, view: WorkflowView, visits: list[times.Visit]) -> diagram.Diagram:
    definition = await door.queries.definition(view.definition)
    taken = {(visit.stage, visit.to) for visit in visits if visit.to}
    return diagram.diagram_of(definition, view.stages, reading.kinds_of(view), taken)


async def _lines(door: Door, view: WorkflowView) -> list[history.Line]:
    steps = await reading.newest_steps(door, view, _EVENTS)
    notes = await reading.notes_of(door, view.workflow_id)
    lines = history.newest(history.lines_of(steps, notes), _EVENTS)
    return list(reversed(lines))
