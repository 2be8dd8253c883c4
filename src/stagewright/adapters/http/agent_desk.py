"""The desk through a door: what agents of another process call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import orjson
from pydantic import TypeAdapter

from stagewright.ports.agent_desk import (
    Claimed,
    ClaimRequest,
    ContractView,
    Emitted,
    Events,
    Extended,
    HintRequest,
    Hints,
    Lease,
    PresenceRequest,
    Receipt,
    TaskResult,
)

_EXTENDED = TypeAdapter(list[Extended])
_CONTRACTS = TypeAdapter(list[ContractView])


class Way(Protocol):
    """How requests get there, as DoorClient does it."""

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """Read."""
        ...

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Change."""
        ...


class HttpAgentDesk:
    """`IAgentDesk` over HTTP; whose task it is the server knows."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def claim(self, agent: str, request: ClaimRequest) -> Claimed:
        """Lease tasks."""
        body = request.model_dump_json().encode()
        answer = await self._way.send("POST", f"/agents/{quote(agent, safe='')}/claim", body)
        return Claimed.model_validate_json(answer)

    async def extend(self, leases: Sequence[Lease], lease_s: float) -> Sequence[Extended]:
        """Renew leases."""
        given = {"leases": [lease.model_dump() for lease in leases], "lease_s": lease_s}
        answer = await self._way.send("POST", "/tasks/extend", orjson.dumps(given))
        return _EXTENDED.validate_json(answer)

    async def finish(self, task: str, result: TaskResult) -> Receipt:
        """Apply a result."""
        fields = ("token", "usage", *_FIELDS[result.status])
        body = orjson.dumps({name: getattr(result, name) for name in fields})
        what = "complete" if result.status == "success" else "fail"
        return Receipt.model_validate_json(await self._way.send("POST", _of(task, what), body))

    async def release(self, lease: Lease) -> None:
        """Hand a task back."""
        body = orjson.dumps({"token": lease.token})
        await self._way.send("POST", _of(lease.task, "release"), body)

    async def emit(self, task: str, events: Events) -> Emitted:
        """Tell what an agent does."""
        body = events.model_dump_json().encode()
        return Emitted.model_validate_json(await self._way.send("POST", _of(task, "events"), body))


_FIELDS = {"success": ("output", "outcome"), "failure": ("errors",)}


class HttpAgentMeans:
    """`IAgentMeans` over HTTP."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def put_blob(self, lease: Lease, body: bytes) -> str:
        """Keep a payload."""
        path = f"{_of(lease.task, 'blobs')}?token={lease.token}"
        stored = orjson.loads(await self._way.send("POST", path, body))
        return str(stored["hash"])

    async def get_blob(self, lease: Lease, hash_: str) -> bytes:
        """Return a payload."""
        return await self._way.get(_of(lease.task, f"blobs/{hash_}"), {"token": lease.token})

    async def register_contract(
        self, contract: Mapping[str, Any], *, development: bool = False
    ) -> ContractView:
        """Register what an agent takes and gives."""
        given = {k: v for k, v in contract.items() if k != "name"}
        body = orjson.dumps({**given, "development": development})
        path = f"/agents/{quote(str(contract['name']), safe='')}/contract"
        return ContractView.model_validate_json(await self._way.send("PUT", path, body))

    async def contracts(self, name: str | None = None) -> Sequence[ContractView]:
        """Return registered contracts."""
        return _CONTRACTS.validate_json(await self._way.get("/contracts", {"name": name}))

    async def present(self, holder: str, sign: PresenceRequest) -> None:
        """Give a sign of life."""
        path = f"/holders/{quote(holder, safe='')}"
        await self._way.send("PUT", path, sign.model_dump_json().encode())

    async def leave(self, holder: str) -> None:
        """Say goodbye."""
        await self._way.send("DELETE", f"/holders/{quote(holder, safe='')}")

    async def hints(self, request: HintRequest) -> Hints:
        """Wait for a hint."""
        answer = await self._way.send("POST", "/hints", request.model_dump_json().encode())
        return Hints.model_validate_json(answer)


def _of(task: str, what: str) -> str:
    return f"/tasks/{quote(task)}/{what}"
