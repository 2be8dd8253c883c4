"""Routes of workflows."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Path, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from stagewright.domain.errors import UsageError
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import PREFIX
from stagewright.ports.control import CommandReply, CommandRequest, Started, StartRequest
from stagewright.ports.views import LogPage, ReplayReport, Waiting, WorkflowPage, WorkflowView
from stagewright.ports.workflow_store import Query

router = APIRouter(prefix="/workflows", tags=["workflows"])

Id = Annotated[str, Path(max_length=200)]
WaitS = Annotated[float, Parameter(ge=0, le=30)]
Action = Literal["pause", "resume", "cancel", "retry", "signal", "approve", "reject"]
DECISIONS = frozenset({"approve", "reject"})
_OK, _CREATED = 200, 201


class Explanation(BaseModel):
    """Why a workflow does not move by itself."""

    workflow_id: str
    status: str
    waiting: list[Waiting]


class Filters(BaseModel):
    """Filters of the list; all given must hold."""

    model_config = ConfigDict(extra="forbid")

    status: str | None = None
    definition: str | None = None
    label: str | None = None
    """`KEY=VALUE`."""
    waiting: str | None = None
    text: str | None = None
    updated_from_ms: int | None = None
    updated_before_ms: int | None = None
    partition: int | None = None
    oldest_first: bool = False
    cursor: str | None = None
    limit: int = Field(default=50, ge=1, le=1_000)

    def query(self) -> Query:
        """Return the store's query."""
        values = self.model_dump()
        values["label"] = label_of(self.label)
        return Query(**values)


class Repair(BaseModel):
    """Whether a replay may re-emit what is missing."""

    repair: bool = False


def label_of(text: str | None) -> tuple[str, str] | None:
    """Return `KEY=VALUE` as a pair; raise UsageError when there is no `=`."""
    if text is None:
        return None
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise UsageError(f"label: {text!r} is not KEY=VALUE.", remedy="Write for example team=web.")
    return key, value


@router.post("", status_code=_CREATED, dependencies=[needs(Scope.START)])
async def start(door: TheDoor, request: StartRequest, response: Response) -> Started:
    """Start a workflow: 201 when it is new, 200 when its key was started before."""
    started = await door.commands.start(request)
    response.headers["location"] = f"{PREFIX}/workflows/{started.workflow_id}"
    response.status_code = _CREATED if started.created else _OK
    return started


@router.get("", dependencies=[needs(Scope.READ)])
async def page(door: TheDoor, filters: Annotated[Filters, Parameter()]) -> WorkflowPage:
    """Return a page of workflows."""
    return await door.queries.list(filters.query())


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
    after: Annotated[int, Parameter(ge=0)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 1_000,
) -> LogPage:
    """Return logged steps or notes."""
    return await door.queries.log(workflow_id, which, after, limit)


@router.post("/{workflow_id}/replay", dependencies=[needs(Scope.OPERATE)])
async def replay(door: TheDoor, workflow_id: Id, body: Repair | None = None) -> ReplayReport:
    """Compare log and snapshot; with `repair`, re-emit what is missing."""
    return await door.commands.replay(workflow_id, repair=bool(body and body.repair))


def _command_route(action: Action, scope: Scope) -> None:
    """Add the route of one command; its body holds what a CommandRequest holds, but its kind."""

    async def apply(
        door: TheDoor, workflow_id: Id, body: dict[str, Any] | None = None
    ) -> CommandReply:
        request = CommandRequest.model_validate({**(body or {}), "kind": action})
        return await door.commands.command(workflow_id, request)

    router.add_api_route(
        f"/{{workflow_id}}/{action}",
        apply,
        methods=["POST"],
        name=action,
        summary=f"{action.capitalize()} a workflow",
        dependencies=[needs(scope)],
    )


for _action in get_args(Action):
    _command_route(_action, Scope.APPROVE if _action in DECISIONS else Scope.OPERATE)
