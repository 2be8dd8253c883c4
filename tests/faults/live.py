"""A reader who leaves after each event, over two servers of which one is killed again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Self

import anyio
import httpx2

from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.live import HttpLive
from stagewright.domain.builder import Workflow, wait
from stagewright.domain.errors import Unreachable
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.ports.live import HEARTBEAT, LiveMessage, Wanted
from stagewright.testing.servers import RedisServer, free_port
from tests.processes import Member

TOKEN = "live"
STEPS_AHEAD = 5
GIVE_UP_S = 600.0

Place = tuple[int, int, str]
Follow = Callable[[HttpLive, str | None], AsyncIterator[LiveMessage]]


class Servers:
    """Two servers over one Redis."""

    def __init__(self, url: str, folder: Path) -> None:
        env = {"STAGEWRIGHT_URL": url, "STAGEWRIGHT_TOKEN": TOKEN}
        self.members = [
            Member(f"server-{n}", ("serve", "--port", str(free_port())), env, folder)
            for n in range(2)
        ]

    def __enter__(self) -> Self:
        for member in self.members:
            member.start()
        for member in self.members:
            member.wait_ready()
        return self

    def __exit__(self, *exc: object) -> None:
        for member in self.members:
            member.stop()

    async def one_message(self, turn: int, follow: Follow, after: str | None) -> LiveMessage | None:
        """Return the next message from the server whose turn it is; None when it is not there."""
        address = self.members[turn % 2].announced["address"]
        try:
            async with (
                open_door(address, TOKEN, httpx2.AsyncHTTPTransport(verify=False)) as client,
                aclosing(follow(HttpLive(client), after)) as stream,  # type: ignore[type-var]
            ):
                return await anext(stream)
        except Unreachable:
            return None


def places(heard: list[LiveMessage], workflow_id: str) -> list[Place]:
    return [
        (one.data["step"], one.data["part"], one.event)
        for one in heard
        if "part" in one.data and one.data["workflow_id"] == workflow_id
    ]


async def logged(client: Stagewright, workflow_id: str) -> list[Place]:
    found: list[Place] = []
    after: int | None = 0
    while after is not None:
        page = await client.log(workflow_id, after=after)
        found += [
            (record["n"], part, event["type"])
            for record in page.records
            for part, event in enumerate(record.get("events", ()), start=1)
        ]
        after = page.after
    return found


async def heard_and_logged(folder: Path, events: int, kills: int) -> list[list[Place]]:
    """Return what the log holds, what one workflow's stream told, and what the global one did."""
    with RedisServer() as redis, Servers(redis.url, folder) as servers:
        async with Stagewright(redis.url) as client:
            await client.register(Workflow("live", wait("until", signal="go")).data())
            begin = await servers.one_message(0, lambda to, at: to.events(Wanted(), at), None)
            id_ = (await client.start("live")).workflow_id
            with anyio.fail_after(GIVE_UP_S):
                told = await _told(servers, client, id_, events, kills, begin)
            return [await logged(client, id_), *(places(each, id_) for each in told)]


async def _told(
    servers: Servers,
    client: Stagewright,
    id_: str,
    events: int,
    kills: int,
    begin: LiveMessage | None,
) -> list[list[LiveMessage]]:
    assert begin is not None
    follows: list[Follow] = [
        lambda to, at: to.workflow_events(id_, at),
        lambda to, at: to.events(Wanted(), at),
    ]
    heard: list[list[LiveMessage]] = [[], []]
    last: list[str | None] = [None, begin.id]
    for turn in range(events):
        if turn % STEPS_AHEAD == 0:
            await _steps(client, id_, turn, STEPS_AHEAD)
        if kills and turn % (events // (kills + 1)) == 1 and turn > 1:
            await _killed_in(servers, turn)
        for number, follow in enumerate(follows):
            tries = turn
            while len(heard[number]) <= turn:
                message = await servers.one_message(tries, follow, last[number])
                tries += 1
                if message is not None:
                    last[number] = message.id or last[number]
                    heard[number] += [] if message.event == HEARTBEAT else [message]
    return await _rest(servers, follows, heard, last, len(await logged(client, id_)))


async def _rest(
    servers: Servers,
    follows: list[Follow],
    heard: list[list[LiveMessage]],
    last: list[str | None],
    wanted: int,
) -> list[list[LiveMessage]]:
    for number, follow in enumerate(follows):
        while len(heard[number]) < wanted:
            message = await servers.one_message(len(heard[number]), follow, last[number])
            if message is not None:
                last[number] = message.id or last[number]
                heard[number] += [] if message.event == HEARTBEAT else [message]
    return heard


async def _steps(client: Stagewright, workflow_id: str, turn: int, count: int) -> None:
    for number in range(turn, turn + count):
        await (client.resume if number % 2 else client.pause)(workflow_id, by="ann")


async def _killed_in(servers: Servers, turn: int) -> None:
    """Kill the server whose turn it is, and start it again when the other was asked."""
    member = servers.members[turn % 2]
    member.kill()
    member.start()
    await anyio.to_thread.run_sync(member.wait_ready)
