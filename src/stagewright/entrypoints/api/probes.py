"""What supervisors and collectors ask, without a key: is it alive, does work get on, how much."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.metrics import CONTENT_TYPE
from stagewright.ports.readiness import ReadyView

router = APIRouter(tags=["probes"])

_UNAVAILABLE = 503


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


@router.get("/livez", dependencies=[needs(Scope.PUBLIC)])
async def livez() -> Alive:
    """Say that the process answers; it asks nobody else."""
    return Alive()


@router.get(
    "/readyz",
    dependencies=[needs(Scope.PUBLIC)],
    responses={_UNAVAILABLE: {"model": ReadyView, "description": "Work does not get on here."}},
)
async def readyz(door: TheDoor, response: Response) -> ReadyView:
    """Say whether work gets on: the store answers, and each orchestrator here comes round."""
    view = await door.readiness.look()
    if not view.ready:
        response.status_code = _UNAVAILABLE
    return view


@router.get(
    "/metrics",
    dependencies=[needs(Scope.PUBLIC)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(door: TheDoor, request: Request) -> Response:
    """Return measurements in the text format of Prometheus."""
    return Response(await request.app.state.metrics.text(door), media_type=CONTENT_TYPE)
