"""Agents over HTTP are seen while they poll and while they hold leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from stagewright.application.desk_presence import EVERY_S, LASTS_S
from stagewright.ports.agent_desk import Lease, PresenceRequest
from stagewright.testing.clock import settle
from tests.unit.application.desks import Desk, opened
from tests.unit.application.world import World


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    await world.register()
    async with opened(world) as made:
        yield made


async def holders(desk: Desk) -> list[str]:
    return [agent.holder for agent in (await desk.world.queries.system()).agents]


async def test_whoever_polls_is_alive_and_explained_as_such(desk: Desk) -> None:
    workflow_id = await desk.world.start()
    asking = asyncio.create_task(desk.claim("check", wait_s=20))
    await settle()
    assert await holders(desk) == ["http:node-1"]
    (waiting,) = (await desk.world.queries.show(workflow_id)).waiting
    assert "no live agent of build" in waiting.reason
    other = asyncio.create_task(desk.claim("build", holder="node-2", version="2", wait_s=20))
    await settle()
    (waiting,) = (await desk.world.queries.show(workflow_id)).waiting
    assert "no live agent of build" in waiting.reason  # of another major
    await desk.claim("build", holder="node-3")
    workflow_id = await desk.world.start()
    (waiting,) = (await desk.world.queries.show(workflow_id)).waiting
    assert waiting.owner == "1 live agent of build@1.0"
    asking.cancel()
    other.cancel()


async def test_a_long_poll_stays_alive(desk: Desk) -> None:
    poll = asyncio.create_task(desk.claim(wait_s=30))
    await settle()
    await desk.world.clock.advance(29)
    assert await holders(desk) == ["http:node-1"]
    await desk.world.clock.advance(1)
    assert (await poll).tasks == []


async def test_whoever_fell_silent_is_gone_after_a_moment(desk: Desk) -> None:
    await desk.claim()
    await desk.world.clock.advance(LASTS_S + EVERY_S)
    assert await holders(desk) == []
    assert desk.desk.attendance._known == {}


async def test_whoever_works_long_on_a_task_is_alive_while_the_lease_is(desk: Desk) -> None:
    await desk.world.start()
    task = await desk.task(lease_s=40)
    await desk.world.clock.advance(39)
    assert await holders(desk) == ["http:node-1"]
    await desk.desk.extend([Lease(task=task.task, token=task.token)], 40)
    await desk.world.clock.advance(39)
    assert await holders(desk) == ["http:node-1"]
    await desk.world.clock.advance(LASTS_S + EVERY_S)
    assert await holders(desk) == []


async def test_a_process_may_tell_by_itself_and_say_goodbye(desk: Desk) -> None:
    sign = PresenceRequest(
        host="there", pid=7, started_at_ms=1, agents={"build": {"lanes": ["build@1.0"]}}
    )
    await desk.means.present("node-9", sign)
    (agent,) = (await desk.world.queries.system()).agents
    assert (agent.holder, agent.host, agent.pid) == ("http:node-9", "there", 7)
    await desk.means.leave("node-9")
    assert await holders(desk) == []
