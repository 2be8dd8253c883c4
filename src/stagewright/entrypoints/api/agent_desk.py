"""Routes by which agents in any language find work: claims, contracts, signs of life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from stagewright.domain.errors import Forbidden
from stagewright.entrypoints.api.access import Principal, Scope, ThePrincipal, needs
from stagewright.entrypoints.api.dependencies import TheDesk
from stagewright.entrypoints.api.gone import unless_gone
from stagewright.ports.agent_desk import (
    NAME,
    Claimed,
    ClaimRequest,
    ContractView,
    HintRequest,
    Hints,
    PresenceRequest,
)

router = APIRouter(tags=["agents"])

Agent = Annotated[str, Path(max_length=64, pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Holder = Annotated[str, Path(max_length=128, pattern=NAME)]


class ContractRequest(BaseModel):
    """What an agent takes and gives."""

    model_config = ConfigDict(extra="forbid")

    version: str = "1.0.0"
    description: str = ""
    input: dict[str, Any] = {}
    """JSON Schema 2020-12; an empty one allows any value."""
    output: dict[str, Any] = {}
    outcomes: list[str] = []
    """Labels that the agent may end a stage with besides `ok`."""
    development: bool = False
    """Register other content of a known version as `VERSION+dev.HASH`."""


def allow(principal: Principal, agent: str) -> None:
    """Raise Forbidden unless somebody may work as an agent."""
    if not principal.may_work_as(agent):
        raise Forbidden(
            principal.name, f"{Scope.AGENT}:{agent}", remedy=f"Use an API key of {agent}."
        )


@router.post("/agents/{agent}/claim", dependencies=[needs(Scope.AGENT)])
async def claim(
    desk: TheDesk, principal: ThePrincipal, agent: Agent, body: ClaimRequest, request: Request
) -> Claimed:
    """Lease tasks of an agent; with `wait_s`, wait for one when there is none.

    When the caller goes away before it was answered, nothing stays leased. An answer that is lost
    on its way is given again to whoever sends the same `claim_id`.
    """
    allow(principal, agent)
    answer = desk.tasks.claim(agent, body)
    return await unless_gone(request, answer, lambda got: desk.tasks.give_back_soon(got.tasks))


@router.put("/agents/{agent}/contract", dependencies=[needs(Scope.AGENT)])
async def register(
    desk: TheDesk, principal: ThePrincipal, agent: Agent, body: ContractRequest
) -> ContractView:
    """Register the contract of an agent's version: 409 when it is known with other content."""
    allow(principal, agent)
    contract = {"name": agent, **body.model_dump(exclude={"development"})}
    return await desk.means.register_contract(contract, development=body.development)


@router.get("/contracts", dependencies=[needs(Scope.READ)])
async def contracts(desk: TheDesk, name: str | None = None) -> Sequence[ContractView]:
    """Return registered contracts, by name and in the order of registration."""
    return await desk.means.contracts(name)


@router.put("/holders/{holder}", status_code=204, dependencies=[needs(Scope.AGENT)])
async def present(
    desk: TheDesk, principal: ThePrincipal, holder: Holder, body: PresenceRequest
) -> Response:
    """Take the sign of life of a process that serves agents; polling is one by itself."""
    for agent in body.agents:
        allow(principal, agent)
    await desk.means.present(holder, body)
    return Response(status_code=204)


@router.delete("/holders/{holder}", status_code=204, dependencies=[needs(Scope.AGENT)])
async def leave(desk: TheDesk, holder: Holder) -> Response:
    """Take a goodbye."""
    await desk.means.leave(holder)
    return Response(status_code=204)


@router.post("/hints", dependencies=[needs(Scope.AGENT)])
async def hints(
    desk: TheDesk, principal: ThePrincipal, body: HintRequest, request: Request
) -> Hints:
    """Wait until there may be work in some lanes, or until tasks may have been withdrawn."""
    for lane in body.lanes:
        allow(principal, lane.partition("@")[0])
    return await unless_gone(request, desk.means.hints(body), lambda _: None)
