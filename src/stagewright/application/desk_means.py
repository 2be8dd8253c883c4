"""What agents over HTTP need besides tasks: payloads, contracts, signs of life, hints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from stagewright.application.desk import AgentDesk
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import NotFound, ValidationFailed
from stagewright.domain.ids import workflow_of
from stagewright.ports.agent_desk import ContractView, HintRequest, Hints, Lease, PresenceRequest
from stagewright.ports.blob_store import IBlobStore


class DeskMeans:
    """Implements `IAgentMeans` beside a desk."""

    def __init__(self, desk: AgentDesk, blobs: IBlobStore) -> None:
        self._desk, self._blobs = desk, blobs

    async def put_blob(self, lease: Lease, body: bytes) -> str:
        """Keep a payload with the task's workflow."""
        await self._desk.leases.held(lease)
        return await self._blobs.put(workflow_of(lease.task), body)

    async def get_blob(self, lease: Lease, hash_: str) -> bytes:
        """Return a payload of the task's workflow."""
        await self._desk.leases.held(lease)
        body = await self._blobs.get(workflow_of(lease.task), hash_)
        if body is None:
            raise NotFound("payload", hash_)
        return body

    async def register_contract(
        self, contract: Mapping[str, Any], *, development: bool = False
    ) -> ContractView:
        """Register what an agent takes and gives."""
        return await self._desk.promises.register(_contract(contract), development=development)

    async def contracts(self, name: str | None = None) -> Sequence[ContractView]:
        """Return registered contracts."""
        return await self._desk.promises.views(name)

    async def present(self, holder: str, sign: PresenceRequest) -> None:
        """Take a sign of life."""
        await self._desk.attendance.present(holder, sign)

    async def leave(self, holder: str) -> None:
        """Take a goodbye."""
        await self._desk.attendance.leave(holder)

    async def hints(self, request: HintRequest) -> Hints:
        """Wait for a hint."""
        return await self._desk.polls.hear(frozenset(request.lanes), request.wait_s)


def _contract(body: Mapping[str, Any]) -> Contract:
    try:
        return Contract.model_validate(body)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ValidationFailed("The contract cannot be used.", problems=found) from error
