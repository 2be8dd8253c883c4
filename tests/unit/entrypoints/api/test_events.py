"""Streams over HTTP: what stands on the wire, and who is let go of."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from httpx2.websockets import WebSocketDisconnect, WebSocketUpgradeError

from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.live import HttpLive
from stagewright.adapters.memory import open_backend
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import CursorInvalid, NotFound
from stagewright.entrypoints.api import sse
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.server import address_of, bind, serving
from stagewright.ports.backend import BackendOptions
from stagewright.ports.live import LiveMessage, Wanted
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.contracts.live_events import Desk, places, take
from tests.unit.entrypoints.api.doors import door_to

TOKEN = "t"
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@dataclass
class House:
    """A server with something to tell."""

    desk: Desk
    address: str
    live: HttpLive
    http: httpx2.AsyncClient

    @property
    def events(self) -> str:
        return f"{self.address}/api/v1/events"


@asynccontextmanager
async def opened() -> AsyncIterator[House]:
    clock: Any = SystemClock()
    async with open_backend("memory://", BackendOptions(partitions=2), clock) as backend:
        desk = Desk(backend, clock)
        control, listener = desk.control, bind(0)
        app = create_app(door_to(control, clock, TOKEN, live=desk.live, access=None))
        address = address_of(listener)
        async with (
            serving(app, listener),
            open_door(address, TOKEN) as client,
            httpx2.AsyncClient(trust_env=False, headers=HEADERS) as http,
        ):
            yield House(desk, address, HttpLive(client), http)
            desk.live.stop()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with opened() as made:
        yield made


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not look():  # noqa: ASYNC110 - the other side sends no word
            await asyncio.sleep(0.005)


async def text_of(house: House, path: str, **options: Any) -> str:
    answer = await house.http.get(f"{house.address}/api/v1{path}", **options)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer.text


async def test_a_finished_workflow_is_told_whole_and_then_the_stream_ends(house: House) -> None:
    id_ = await house.desk.start()
    await house.desk.command(id_, "cancel")
    text = await text_of(house, f"/workflows/{id_}/events")
    retry, *events, nothing = text.split("\n\n")
    assert (retry, nothing) == ("retry: 1000", "")
    names = [event.split("\n")[1] for event in events]
    assert names == [
        "event: WORKFLOW_CREATED",
        "event: WAIT_STARTED",
        "event: WORKFLOW_CANCELLED",
        "event: end",
    ]
    assert all(event.startswith("id: ") for event in events)


async def test_who_comes_back_after_the_end_is_told_not_to_come_again(house: House) -> None:
    id_ = await house.desk.start()
    await house.desk.command(id_, "cancel")
    *_, end = await take(house.live.workflow_events(id_), 100)
    path = f"{house.address}/api/v1/workflows/{id_}/events"
    answer = await house.http.get(path, headers={"last-event-id": end.id or ""})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_the_header_wins_over_the_address(house: House) -> None:
    id_ = await house.desk.start()
    await house.desk.command(id_, "cancel")
    told = await take(house.live.workflow_events(id_), 100)
    path, header = f"/workflows/{id_}/events?after=0", {"last-event-id": told[1].id or ""}
    assert "WAIT_STARTED" in await text_of(house, path)
    assert "WAIT_STARTED" not in await text_of(house, path, headers=header)


async def test_a_client_hears_what_the_log_holds(house: House) -> None:
    id_ = await house.desk.start()
    stream = house.live.workflow_events(id_)
    heard = [await anext(stream)]
    await house.desk.steps(id_, 5)
    await house.desk.command(id_, "cancel")
    heard += await take(stream, 100)
    assert places(heard) == await house.desk.logged(id_)


async def test_the_global_stream_says_how_things_are_and_then_what_happens(house: House) -> None:
    stream = house.live.events(Wanted())
    snapshot = await anext(stream)
    assert snapshot.event == "snapshot"
    assert snapshot.data["counts"] == {}
    await house.desk.start()
    (created,) = await take(stream, 1)
    assert (created.event, created.data["definition"]) == ("WORKFLOW_CREATED", "job")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(kinds=frozenset({"WORKFLOW_PAUSED"})), ["WORKFLOW_PAUSED"] * 2),
        (Wanted(statuses=frozenset({"cancelled"})), ["WORKFLOW_CANCELLED"] * 2),
        (Wanted(definition="job", kinds=frozenset({"WORKFLOW_PAUSED"})), ["WORKFLOW_PAUSED"] * 2),
        (Wanted(label=("team", "web")), ["WORKFLOW_CREATED", "WAIT_STARTED"]),
    ],
)
async def test_filters_narrow_what_is_told(
    house: House, wanted: Wanted, expected: list[str]
) -> None:
    (begin,) = await take(house.live.events(Wanted()), 1)
    for team in ("data", "web"):
        id_ = await house.desk.start(labels={"team": team})
        await house.desk.steps(id_, 1)
        await house.desk.command(id_, "cancel")
    heard = await take(house.live.events(wanted, begin.id), 2)
    assert [one.event for one in heard] == expected


@pytest.mark.parametrize("path", ["/events", "/workflows/{id}/events"])
async def test_a_position_that_was_never_one_is_refused_before_the_stream(
    house: House, path: str
) -> None:
    id_ = await house.desk.start()
    answer = await house.http.get(
        house.address + "/api/v1" + path.format(id=id_), params={"after": "nonsense!"}
    )
    assert answer.status_code == 422
    assert "never" not in answer.json()["detail"]
    with pytest.raises(CursorInvalid):
        await take(house.live.events(Wanted(), "nonsense!"), 1)


async def test_an_unknown_workflow_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        await take(house.live.workflow_events("p00-" + "0" * 32), 1)


async def test_a_misspelt_filter_is_refused(house: House) -> None:
    answer = await house.http.get(house.events, params={"definiton": "job"})
    assert answer.status_code == 422
    assert "definiton" in answer.json()["detail"]


async def test_text_is_streamed_as_it_comes_and_carries_no_id(house: House) -> None:
    id_ = await house.desk.start()
    stream = house.live.workflow_events(id_, wanted=Wanted(deltas=True))
    _ = [await anext(stream), await anext(stream)]
    hearing = asyncio.ensure_future(anext(stream))
    async with asyncio.timeout(30):
        while not hearing.done():  # what is said before anybody listens is lost
            body = b'{"task":"%s/a/1/1","stage":"a","number":1,"text":"hi"}' % id_.encode()
            await house.desk.backend.bus.publish(Topic.DELTAS, [Message(id_, body)], 0)
            await asyncio.sleep(0.05)
    message = hearing.result()
    await stream.aclose()
    assert (message.event, message.id) == ("delta", None)
    assert set(message.data["text"]) == set("hi")


async def test_who_leaves_is_noticed(house: House) -> None:
    hub = house.desk.live.hub
    async with aclosing(house.live.events(Wanted())) as stream:
        await anext(stream)
        assert hub.readers == 1
    await until(lambda: hub.readers == 0)


async def test_a_server_that_stops_says_so_and_does_not_wait() -> None:
    async with opened() as house:
        stream = house.live.events(Wanted())
        await anext(stream)
        house.desk.live.stop()
        (closed,) = [one async for one in stream]
        assert (closed.event, closed.data["reason"]) == ("closed", "stopping")
        assert closed.id is None  # the position of the message before still holds


async def test_a_reader_that_stalls_is_let_go_of_and_others_are_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "SEND_DEADLINE_S", 0.3)
    hub = house.desk.live.hub
    id_ = await house.desk.start()
    healthy = house.live.events(Wanted())
    await anext(healthy)
    with stalled(house.address) as _:
        await until(lambda: hub.readers == 2)
        heard: list[LiveMessage] = []
        async with asyncio.timeout(60):
            while hub.readers == 2:
                await house.desk.note(id_, *(["x" * 8_000] * 8))
                heard += [await anext(healthy) for _ in range(8)]
        await healthy.aclose()
    assert {one.event for one in heard} == {"AGENT_LOGGED"}


def stalled(address: str) -> socket.socket:
    """Connect a reader that asks and never reads."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.connect((host, int(port)))
    lines = ["GET /api/v1/events HTTP/1.1", f"Host: {host}:{port}"]
    lines += [f"Authorization: Bearer {TOKEN}", "", ""]
    reader.sendall("\r\n".join(lines).encode())
    return reader


async def test_a_reader_that_does_not_keep_up_is_told_where_to_go_on(house: House) -> None:
    id_ = await house.desk.start()
    stream = house.desk.live.events(Wanted())
    begin = await anext(stream)
    for _ in range(200):
        await house.desk.note(id_, *(["y" * 8_000] * 8))
        await asyncio.sleep(0)
    (*_, closed) = [one async for one in stream]
    assert (closed.event, closed.data["reason"]) == ("closed", "slow")
    rest = await take(house.live.events(Wanted(), closed.id), 5)
    assert closed.id == begin.id
    assert len(rest) == 5


def ws(house: House, path: str) -> str:
    return house.address.replace("http", "ws", 1) + "/api/v1" + path


async def test_a_websocket_carries_the_same_messages(house: House) -> None:
    id_ = await house.desk.start()
    await house.desk.command(id_, "cancel")
    told = await take(house.live.workflow_events(id_), 100)
    async with house.http.websocket(ws(house, f"/workflows/{id_}/events/ws")) as socket:
        heard = [await socket.receive_json() for _ in told]
        with pytest.raises(WebSocketDisconnect) as end:
            await socket.receive_json()
    assert heard == [{"id": one.id, "event": one.event, "data": one.data} for one in told]
    assert end.value.code == 1000


async def test_a_websocket_goes_on_behind_a_position(house: House) -> None:
    async with house.http.websocket(ws(house, "/events/ws")) as socket:
        snapshot = await socket.receive_json()
    id_ = await house.desk.start()
    path = ws(house, f"/events/ws?after={snapshot['id']}")
    async with house.http.websocket(path) as socket:
        heard = [(await socket.receive_json())["event"] for _ in await house.desk.logged(id_)]
    assert heard == ["WORKFLOW_CREATED", "WAIT_STARTED"]
    await until(lambda: house.desk.live.hub.readers == 0)


async def test_a_websocket_for_nothing_is_told_what_is_wrong(house: House) -> None:
    async with house.http.websocket(ws(house, "/events/ws?after=nonsense")) as socket:
        problem = await socket.receive_json()
        with pytest.raises(WebSocketDisconnect) as end:
            await socket.receive_json()
    assert problem["event"] == "problem"
    assert problem["data"]["status"] == 422
    assert end.value.code == 1008


async def test_a_websocket_without_the_token_is_refused(house: House) -> None:
    stranger = {"authorization": "Bearer wrong"}
    with pytest.raises(WebSocketUpgradeError):
        async with house.http.websocket(ws(house, "/events/ws"), headers=stranger):
            pass
