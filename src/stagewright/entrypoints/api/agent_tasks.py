"""Routes of a task that an agent holds: its id is its address, its token proves the right to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from stagewright.domain.bounded_json import parse
from stagewright.entrypoints.api.access import Principal, Scope, ThePrincipal, needs
from stagewright.entrypoints.api.agent_desk import allow
from stagewright.entrypoints.api.bounds import BODY_LIMIT_BYTES
from stagewright.entrypoints.api.dependencies import TheDesk
from stagewright.entrypoints.api.door import Desk
from stagewright.ports.agent_desk import (
    MAX_LEASES,
    Emitted,
    Events,
    Extended,
    Lease,
    LeaseLost,
    LeaseS,
    Receipt,
    TaskResult,
    Token,
)

router = APIRouter(prefix="/tasks", tags=["tasks"])

TokenQuery = Annotated[int, Parameter(ge=1, le=2**53 - 1)]
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


async def _exact(request: Request) -> None:
    """Refuse what JSON parsers read differently: keys twice, NaN, huge numbers, deep nesting."""
    parse(await request.body(), max_bytes=BODY_LIMIT_BYTES)


Exact = Depends(_exact)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExtendRequest(_Body):
    """How long a lease should last from now."""

    token: Token
    lease_s: LeaseS = 30.0


class ExtendAll(_Body):
    """The same for several."""

    leases: Annotated[list[Lease], Field(min_length=1, max_length=MAX_LEASES)]
    lease_s: LeaseS = 30.0


class Completion(_Body):
    """A success."""

    token: Token
    output: Any = None
    outcome: str | None = None
    usage: dict[str, int | float] = {}


class Failure(_Body):
    """A failure: one error by its type and message, or several."""

    token: Token
    type: Annotated[str, Field(min_length=1, max_length=256)] = "error"
    message: Annotated[str, Field(max_length=8_000)] = "the agent failed"
    final: bool = False
    """Trying again would not help."""
    errors: Annotated[list[dict[str, Any]], Field(max_length=100)] = []
    usage: dict[str, int | float] = {}


class TokenBody(_Body):
    """What proves the right to a task."""

    token: Token


class Stored(BaseModel):
    """A payload that is kept."""

    hash: str
    bytes: int


async def _task(
    workflow_id: Annotated[str, Path(max_length=200)],
    stage: Annotated[str, Path(max_length=64)],
    visit: Annotated[int, Path(ge=1, le=10**9)],
    attempt: Annotated[int, Path(ge=1, le=10**9)],
) -> str:
    return f"{workflow_id}/{stage}/{visit}/{attempt}"


TheTask = Annotated[str, Depends(_task)]
ADDRESS = "/{workflow_id}/{stage}/{visit}/{attempt}"


async def permit(principal: Principal, desk: Desk, task: str) -> None:
    """Raise Forbidden unless somebody may work as the agent of a task."""
    if not principal.may_work_as(""):
        allow(principal, await desk.tasks.agent_of(task))


@router.post("/extend", dependencies=[needs(Scope.AGENT)])
async def extend_all(desk: TheDesk, principal: ThePrincipal, body: ExtendAll) -> Sequence[Extended]:
    """Renew leases; where `expires_at_ms` is null the lease is over."""
    for lease in body.leases:
        await permit(principal, desk, lease.task)
    return await desk.tasks.extend(body.leases, body.lease_s)


@router.post(ADDRESS + "/extend", dependencies=[needs(Scope.AGENT)])
async def extend(
    desk: TheDesk, principal: ThePrincipal, task: TheTask, body: ExtendRequest
) -> Extended:
    """Renew the lease: 409 says why it is over, and who has the task now."""
    await permit(principal, desk, task)
    lease = Lease(task=task, token=body.token)
    (extended,) = await desk.tasks.extend([lease], body.lease_s)
    if extended.expires_at_ms is None:
        reason = extended.reason or "nobody knows it"
        holder, since_ms = extended.holder, extended.since_ms
        raise LeaseLost(task, body.token, reason, holder=holder, since_ms=since_ms)
    return extended


@router.post(ADDRESS + "/complete", dependencies=[needs(Scope.AGENT), Exact])
async def complete(
    desk: TheDesk, principal: ThePrincipal, task: TheTask, body: Completion
) -> Receipt:
    """Hand in an output. Sent again, it is answered as before; another one gets 409."""
    await permit(principal, desk, task)
    return await desk.tasks.finish(task, TaskResult(status="success", **body.model_dump()))


@router.post(ADDRESS + "/fail", dependencies=[needs(Scope.AGENT), Exact])
async def fail(desk: TheDesk, principal: ThePrincipal, task: TheTask, body: Failure) -> Receipt:
    """Say that the work could not be done: it is tried again as the stage allows."""
    await permit(principal, desk, task)
    one = {"type": body.type, "message": body.message, **({"final": True} if body.final else {})}
    result = TaskResult(
        token=body.token, status="failure", errors=body.errors or [one], usage=body.usage
    )
    return await desk.tasks.finish(task, result)


@router.post(ADDRESS + "/release", status_code=204, dependencies=[needs(Scope.AGENT)])
async def release(
    desk: TheDesk, principal: ThePrincipal, task: TheTask, body: TokenBody
) -> Response:
    """Hand the task back for others, which counts as no loss."""
    await permit(principal, desk, task)
    await desk.tasks.release(Lease(task=task, token=body.token))
    return Response(status_code=204)


@router.post(ADDRESS + "/events", dependencies=[needs(Scope.AGENT), Exact])
async def emit(desk: TheDesk, principal: ThePrincipal, task: TheTask, body: Events) -> Emitted:
    """Tell what the agent does: log, tool_call, tool_result, artifact, delta."""
    await permit(principal, desk, task)
    return await desk.tasks.emit(task, body)


@router.post(ADDRESS + "/artifacts", status_code=201, dependencies=[needs(Scope.AGENT)])
async def artifact(
    desk: TheDesk,
    principal: ThePrincipal,
    task: TheTask,
    token: TokenQuery,
    name: Annotated[str, Parameter(min_length=1, max_length=256)],
    request: Request,
    first: Annotated[int | None, Parameter(ge=1)] = None,
) -> Stored:
    """Keep the body of the request as a file of the workflow."""
    await permit(principal, desk, task)
    stored = await _put(desk, Lease(task=task, token=token), await request.body())
    told = {"event": "artifact", "name": name, **stored.model_dump()}
    await desk.tasks.emit(task, Events(token=token, first=first, events=[told]))
    return stored


@router.post(ADDRESS + "/blobs", status_code=201, dependencies=[needs(Scope.AGENT)])
async def put_blob(
    desk: TheDesk, principal: ThePrincipal, task: TheTask, token: TokenQuery, request: Request
) -> Stored:
    """Keep a payload, to be named as `{"$blob": {"hash", "bytes"}}` in an output."""
    await permit(principal, desk, task)
    return await _put(desk, Lease(task=task, token=token), await request.body())


@router.get(ADDRESS + "/blobs/{hash_}", dependencies=[needs(Scope.AGENT)])
async def get_blob(
    desk: TheDesk, principal: ThePrincipal, task: TheTask, hash_: Hash, token: TokenQuery
) -> Response:
    """Return a payload that an input or feedback refers to."""
    await permit(principal, desk, task)
    body = await desk.means.get_blob(Lease(task=task, token=token), hash_)
    return Response(body, media_type="application/octet-stream")


async def _put(desk: Desk, lease: Lease, body: bytes) -> Stored:
    return Stored(hash=await desk.means.put_blob(lease, body), bytes=len(body))
