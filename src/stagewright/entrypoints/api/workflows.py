"""Routes of workflows: start, list, look."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.bodies import BoundedRoute
from stagewright.entrypoints.api.dependencies import Id, StageName, TheDoor
from stagewright.entrypoints.api.door import PREFIX
from stagewright.entrypoints.api.filters import Conditions, Filters
from stagewright.entrypoints.api.starts import IdempotencyKey, StartBody
from stagewright.ports.control import Started
from stagewright.ports.details import COUNTED, Count, StageDetail
from stagewright.ports.views import LogPage, ReplayReport, Waiting, WorkflowPage, WorkflowView

router = APIRouter(prefix="/workflows", tags=["workflows"], route_class=BoundedRoute)

WaitS = Annotated[float, Parameter(ge=0, le=30, description="Wait so long for its end.")]
OutputKey = Annotated[str, Path(max_length=200, description="`input`, `STAGE/VISIT`, ...")]
_OK, _CREATED = 200, 201


class Explanation(BaseModel):
    """Why a workflow does not move by itself."""

    workflow_id: str
    status: str
    waiting: list[Waiting]


class Repair(BaseModel):
    """Whether a replay may re-emit what is missing."""

    model_config = ConfigDict(extra="forbid")

    repair: bool = False


class Counted(Conditions):
    """What is counted."""

    most: Annotated[int, Parameter(ge=1, le=100_000)] = COUNTED


@router.post(
    "",
    status_code=_CREATED,
    dependencies=[needs(Scope.START)],
    responses={_OK: {"model": Started, "description": "The key was seen with the same body."}},
)
async def start(
    door: TheDoor, body: StartBody, response: Response, idempotency_key: IdempotencyKey = None
) -> Started:
    """Start a workflow: 201 when it is new, 200 when its key was started before.

    It is committed before the answer leaves, and the answer names how durable that is.
    """
    started = await door.commands.start(body.request(idempotency_key))
    response.headers["location"] = f"{PREFIX}/workflows/{started.workflow_id}"
    response.status_code = _CREATED if started.created else _OK
    return started


@router.get("", dependencies=[needs(Scope.READ)])
async def page(door: TheDoor, filters: Annotated[Filters, Parameter()]) -> WorkflowPage:
    """Return a page of workflows. Rows that do not change while you page come exactly once."""
    return await door.queries.list(filters.query())


@router.get("/count", dependencies=[needs(Scope.READ)])
async def count(door: TheDoor, filters: Annotated[Counted, Parameter()]) -> Count:
    """Return how many workflows fit, exactly up to `most`."""
    return await door.details.count(filters.query(), filters.most)


@router.get("/{workflow_id}", dependencies=[needs(Scope.READ)])
async def show(door: TheDoor, workflow_id: Id, wait_s: WaitS = 0.0) -> WorkflowView:
    """Return one workflow; with `wait_s` only once it has ended, or after so many seconds."""
    if wait_s > 0:
        return await door.queries.ended(workflow_id, wait_s)
    return await door.queries.show(workflow_id)


@router.get("/{workflow_id}/explain", dependencies=[needs(Scope.READ)])
async def explain(door: TheDoor, workflow_id: Id) -> Explanation:
    """Return why a workflow waits, and for whom."""
    view = await door.queries.show(workflow_id)
    return Explanation(workflow_id=workflow_id, status=view.status, waiting=view.waiting)


@router.get("/{workflow_id}/log", dependencies=[needs(Scope.READ)])
async def log(
    door: TheDoor,
    workflow_id: Id,
    which: Literal["steps", "notes"] = "steps",
    after: Annotated[int, Parameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 1_000,
) -> LogPage:
    """Return logged steps or notes."""
    return await door.queries.log(workflow_id, which, after, limit)


@router.get("/{workflow_id}/stages/{stage}", dependencies=[needs(Scope.READ)])
async def stage(door: TheDoor, workflow_id: Id, stage: StageName) -> StageDetail:
    """Return a stage with all its rounds, attempts, inputs, outputs, errors, contract and notes."""
    return await door.details.stage(workflow_id, stage)


@router.get(
    "/{workflow_id}/outputs/{key:path}",
    dependencies=[needs(Scope.READ)],
    response_class=Response,
    responses={_OK: {"content": {"application/json": {"schema": {}}}}},
)
async def output(door: TheDoor, workflow_id: Id, key: OutputKey) -> Response:
    """Return a stored payload whole, also one that views only refer to."""
    body = await door.details.output(workflow_id, key)
    return Response(body, media_type="application/json")


@router.post("/{workflow_id}/replay", dependencies=[needs(Scope.OPERATE)])
async def replay(door: TheDoor, workflow_id: Id, body: Repair | None = None) -> ReplayReport:
    """Compare log and snapshot; with `repair`, re-emit what is missing."""
    return await door.commands.replay(workflow_id, repair=bool(body and body.repair))
