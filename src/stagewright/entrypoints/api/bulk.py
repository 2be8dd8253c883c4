"""Routes of actions on many workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Response

from stagewright.domain.errors import Forbidden
from stagewright.entrypoints.api.access import Principal, Scope, ThePrincipal, needs
from stagewright.entrypoints.api.bodies import BoundedRoute
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import PREFIX
from stagewright.entrypoints.api.starts import IdempotencyKey, one_key
from stagewright.ports.bulk import DECISIONS, BulkRequest, BulkView

router = APIRouter(tags=["bulk"], route_class=BoundedRoute)

JobId = Annotated[str, Path(max_length=64, description="Id of a bulk job.")]
_OK, _ACCEPTED = 200, 202


@router.post(
    "/workflows/bulk",
    status_code=_ACCEPTED,
    dependencies=[needs(Scope.OPERATE)],
    responses={_OK: {"model": BulkView, "description": "A dry run: what would be changed."}},
)
async def begin(
    door: TheDoor,
    principal: ThePrincipal,
    body: BulkRequest,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> BulkView:
    """Do one thing to the workflows named, or to all that fit a filter, as a job.

    The job is durable before the answer leaves, goes on without whoever asked for it, and names
    each refusal. The same key gives the same job. Decisions also need the scope `approve`.
    """
    _may(principal, body)
    key = one_key(idempotency_key, body.key)
    view = await door.bulk.begin(body.model_copy(update={"key": key}))
    if view.job_id is None:
        response.status_code = _OK
    else:
        response.headers["location"] = f"{PREFIX}/bulk/{view.job_id}"
    return view


def _may(principal: Principal, body: BulkRequest) -> None:
    if body.action in DECISIONS and not principal.may(Scope.APPROVE):
        raise Forbidden(principal.name, Scope.APPROVE.value)


@router.get("/bulk", dependencies=[needs(Scope.READ)])
async def jobs(door: TheDoor) -> Sequence[BulkView]:
    """Return the jobs of the last day, newest first, without their refusals."""
    return await door.bulk.jobs()


@router.get("/bulk/{job_id}", dependencies=[needs(Scope.READ)])
async def job(door: TheDoor, job_id: JobId) -> BulkView:
    """Return how far a job is, with its refusals; goes on with it if nobody does."""
    return await door.bulk.job(job_id)
