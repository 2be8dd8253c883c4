"""The routes of agents over a whole installation in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from stagewright.application.control import Control
from stagewright.application.desk_means import DeskMeans
from stagewright.entrypoints.api.access import OWNER, STATE_KEY, Principal, Scope
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.door import Desk
from tests.unit.application.desks import Desk as Inside
from tests.unit.application.desks import opened as opened_inside
from tests.unit.application.world import World
from tests.unit.entrypoints.api.doors import door_to

ADDRESS = "http://127.0.0.1:4000"


def worker(*agents: str) -> Principal:
    """Somebody with a key for some agents."""
    return Principal("worker", frozenset({Scope.AGENT}), frozenset(agents))


@dataclass
class Wire:
    """A client, and what lies behind the routes."""

    inside: Inside
    http: httpx2.AsyncClient
    principal: Principal = OWNER

    @property
    def world(self) -> World:
        return self.inside.world

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.http.post(f"/api/v1{path}", json=body, **options)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for what comes by threads, which no virtual clock knows of."""
        while not true():  # noqa: ASYNC110 - threads set no event of this loop
            await asyncio.sleep(0.001)

    async def task(self, agent: str = "build", **fields: Any) -> Any:
        """Claim the one task that is there."""
        answer = await self.post(f"/agents/{agent}/claim", {"holder": "node-1", **fields})
        assert answer.status_code == 200, answer.text
        (task,) = answer.json()["tasks"]
        return task

    async def tell(self, task: Any, what: str, **body: Any) -> httpx2.Response:
        return await self.post(f"/tasks/{task['task']}/{what}", {"token": task["token"], **body})


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Wire]:
    """Whoever asks is `principal`; who that may be is the guard's affair."""
    async with opened_inside(world) as inside:
        desk = Desk(inside.desk, DeskMeans(inside.desk, world.backend.blobs))
        control = Control(world.backend, world.clock, world.ids, world.randomness)
        door = door_to(control, world.clock, "t", desk=desk, access=None)
        app: Any = create_app(door)
        wire = Wire(inside, None)  # type: ignore[arg-type]

        async def let_in(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            scope.setdefault("state", {})[STATE_KEY] = wire.principal
            await app._app(scope, receive, send)

        transport = httpx2.ASGITransport(app=let_in, raise_app_exceptions=False)
        async with httpx2.AsyncClient(base_url=ADDRESS, transport=transport) as http:
            wire.http = http
            yield wire
