"""A door over a store in memory, with something of everything in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from stagewright.application.control import Control
from stagewright.domain.contracts import Contract
from stagewright.entrypoints.api.access import OWNER, STATE_KEY, Principal
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.bounds import App, Receive, Send
from stagewright.entrypoints.api.bounds import Scope as AsgiScope
from tests.unit.application.world import World, opened
from tests.unit.domain.kernel import agent, approval, wait
from tests.unit.entrypoints.api.doors import door_to

TOKEN = "open-sesame"
ADDRESS = "http://127.0.0.1:4000"
INPUT = {"type": "object", "properties": {"goal": {"type": "string"}}}


@dataclass
class Served:
    """A world, its door, and whoever asks."""

    world: World
    control: Control
    app: App
    http: httpx2.AsyncClient
    who: list[Principal]
    """Whoever asks next is the last of these."""


def as_anybody(app: App, who: list[Principal]) -> App:
    """Let whoever shows the owner's token be somebody else, as keys do."""

    async def called(scope: AsgiScope, receive: Receive, send: Send) -> None:
        class State(dict[str, Principal]):
            def __setitem__(self, name: str, value: Principal) -> None:
                super().__setitem__(name, who[-1] if who[1:] else value)

        if STATE_KEY not in scope.get("state", {}):
            scope["state"] = State(scope.get("state", {}))
        await app(scope, receive, send)

    return called


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    async with opened() as world:
        control = Control(
            world.backend, world.clock, world.ids, world.randomness, catalog=world.catalog
        )
        who = [OWNER]
        app = create_app(door_to(control, world.clock, TOKEN))
        transport = httpx2.ASGITransport(app=as_anybody(app, who), raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(
            base_url=ADDRESS, transport=transport, headers=headers
        ) as http:
            yield Served(world, control, app, http, who)


async def furnish(world: World) -> list[str]:
    """Register definitions and start workflows that wait for this and that; return their ids."""
    contracts = [Contract(name="build"), Contract(name="check")]
    await world.register(
        agent("build"), approval("gate", "ann"), agent("check"), contracts=contracts, input=INPUT
    )
    await world.register(wait("paid", signal="paid"), name="sale", labels={"team": "web"})
    ids = [await world.start({"goal": str(number)}) for number in range(3)]
    ids += [await world.start(definition="sale", key="k1")]
    for task in await world.claim("build", slots=2):
        await world.complete(task, {"n": 1}, usage={"tokens": 3})
    await world.apply()
    await world.publish(ids[0], b"{broken")
    for message in await world.inbox():
        await world.backend.bus.reject(message, "not JSON", world.clock.now_ms())
    await world.command(ids[1], "cancel")
    return ids
