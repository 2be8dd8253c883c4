"""The door: what it answers, to whom, and that the client's side speaks the same language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import orjson
import pytest

from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.commands import HttpCommands
from stagewright.adapters.http.dead_letters import HttpDeadLetters
from stagewright.adapters.http.queries import HttpQueries
from stagewright.adapters.system.identifiers import SystemIdentifiers
from stagewright.domain.errors import (
    AlreadyDecided,
    LimitExceeded,
    NotFound,
    StagewrightError,
    StoreFull,
    ValidationFailed,
)
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.bounds import BODY_LIMIT_BYTES
from stagewright.ports.control import CommandRequest, RegisterRequest, StartRequest
from stagewright.ports.workflow_store import Query
from tests.unit.entrypoints.fakes import ID, FakeControl, door_of, letter, system, view

ADDRESS = "http://127.0.0.1:4000"
TOKEN = "open-sesame"


@dataclass
class Wire:
    control: FakeControl
    http: httpx2.AsyncClient
    commands: HttpCommands
    queries: HttpQueries
    letters: HttpDeadLetters


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    control = FakeControl()
    app = create_app(door_of(control, TOKEN))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        open_door(ADDRESS, TOKEN, transport) as client,
        httpx2.AsyncClient(
            base_url=ADDRESS, transport=transport, headers={"authorization": f"Bearer {TOKEN}"}
        ) as http,
    ):
        commands = HttpCommands(client, SystemIdentifiers())
        yield Wire(control, http, commands, HttpQueries(client), HttpDeadLetters(client))


async def test_a_new_workflow_is_created_and_named(wire: Wire) -> None:
    answer = await wire.http.post("/api/v1/workflows", json={"definition": "release"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/workflows/{ID}"
    assert answer.json()["workflow_id"] == ID


async def test_a_repeated_start_is_found_again(wire: Wire) -> None:
    wire.control.created = False
    answer = await wire.http.post("/api/v1/workflows", json={"definition": "release", "key": "k"})
    assert answer.status_code == 200


async def test_a_start_travels_whole(wire: Wire) -> None:
    request = StartRequest(definition="release@1.0.0", input={"a": [1]}, key="k", labels={"x": "y"})
    assert (await wire.commands.start(request)).workflow_id == ID
    assert wire.control.calls == [("start", request)]


async def test_a_command_travels_whole_and_gets_an_id(wire: Wire) -> None:
    request = CommandRequest(kind="approve", by="ann", stage="gate", visit=2, data={"n": 1})
    await wire.commands.command(ID, request)
    what, arrived = wire.control.calls[0]
    assert what == f"command {ID}"
    assert len(arrived.command_id) == 32
    assert arrived == request.model_copy(update={"command_id": arrived.command_id})


async def test_views_come_back_equal(wire: Wire) -> None:
    assert await wire.queries.show(ID) == view()
    assert await wire.queries.system() == system()
    assert (await wire.queries.log(ID, "steps", 3, 7)).records[0]["number"] == 1
    assert (await wire.queries.definitions("release"))[0].name == "release"
    assert (await wire.queries.definition("release@1.0.0"))["name"] == "release"
    asked = [given for what, given in wire.control.calls if what in {"log", "definition"}]
    assert asked == [(ID, "steps", 3, 7), "release@1.0.0"]


async def test_a_query_travels_whole(wire: Wire) -> None:
    query = Query(
        status=("running", "failed"),
        label=(("team", "a=b"), ("tier", "1")),
        oldest_first=True,
        partition=3,
        limit=7,
    )
    page = await wire.queries.list(query)
    assert [row.workflow_id for row in page.rows] == [ID]
    assert wire.control.calls == [("list", query)]


async def test_registering_and_replaying_travel(wire: Wire) -> None:
    request = RegisterRequest(definition={"name": "release"}, development=True)
    assert (await wire.commands.register(request)).name == "release"
    assert (await wire.commands.replay(ID, repair=True)).repaired
    assert wire.control.calls == [("register", request), ("replay", (ID, True))]


async def test_waiting_reasons_have_an_address_of_their_own(wire: Wire) -> None:
    answer = (await wire.http.get(f"/api/v1/workflows/{ID}/explain")).json()
    assert answer["status"] == "running"
    assert answer["waiting"][0]["owner"] == "agents of build@^1"


async def test_dead_letters_of_any_bytes_travel(wire: Wire) -> None:
    wire.control.letters = {"p01-7": letter(body=b"\xff\x00"), "p01-8": letter("p01-8")}
    assert await wire.letters.list(limit=5) == list(wire.control.letters.values())
    assert await wire.letters.read("p01-7") == letter(body=b"\xff\x00")
    await wire.commands.redrive("p01-7", b"{}")
    assert ("redrive", ("p01-7", b"{}")) in wire.control.calls
    assert await wire.letters.discard("p01-8")
    assert not await wire.letters.discard("p01-8")
    assert await wire.letters.read("p01-8") is None


@pytest.mark.parametrize(
    "error", [AlreadyDecided("decided by ann"), NotFound("workflow", ID, known=["p01-2"])]
)
async def test_a_refusal_arrives_as_the_error_it_was(wire: Wire, error: StagewrightError) -> None:
    wire.control.refusal = error
    with pytest.raises(type(error)) as caught:
        await wire.queries.show(ID)
    assert vars(caught.value) == vars(error)


async def test_a_full_store_is_a_problem_of_the_server_that_says_what_to_do(wire: Wire) -> None:
    wire.control.refusal = StoreFull("Redis", "it has no room left", remedy="Raise `maxmemory`.")
    answer = await wire.http.post("/api/v1/workflows", json={"definition": "release"})
    assert answer.status_code == 503
    problem = answer.json()
    assert problem["detail"] == "Redis: it has no room left."
    assert problem["remedy"] == "Raise `maxmemory`."
    with pytest.raises(StoreFull, match="no room left"):
        await wire.commands.start(StartRequest(definition="release"))


async def test_a_request_of_the_wrong_shape_names_the_field(wire: Wire) -> None:
    answer = await wire.http.post("/api/v1/workflows", json={"definition": 3, "wrong": 1})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    pointers = {one["pointer"] for one in answer.json()["problems"]}
    assert pointers == {"/definition", "/wrong"}


async def test_an_unknown_action_is_not_found(wire: Wire) -> None:
    answer = await wire.http.post(f"/api/v1/workflows/{ID}/explode")
    assert answer.status_code == 404
    assert not wire.control.calls


async def test_an_unknown_address_is_not_found(wire: Wire) -> None:
    answer = await wire.http.get("/api/v1/nowhere")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:stagewright:error:not-found")


async def test_an_unexpected_failure_tells_nothing_of_what_it_met(wire: Wire) -> None:
    wire.control.refusal = RuntimeError("secret payload")  # type: ignore[assignment]
    answer = await wire.http.get("/api/v1/system")
    assert answer.status_code == 500
    assert b"secret" not in answer.content
    assert answer.json()["detail"] == "The server failed: RuntimeError."


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", TOKEN, f"bearer {TOKEN}x"])
async def test_nobody_comes_in_without_the_token(wire: Wire, token: str) -> None:
    answer = await wire.http.get("/api/v1/system", headers={"authorization": token})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not wire.control.calls


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4000", "127.0.0.1.evil.example", ""]
)
async def test_another_name_for_this_machine_is_refused(wire: Wire, host: str) -> None:
    answer = await wire.http.get("/api/v1/system", headers={"host": host})
    assert answer.status_code == 403
    assert not wire.control.calls


@pytest.mark.parametrize("host", ["localhost", "localhost:4000", "127.0.0.1:4000", "[::1]:4000"])
async def test_the_names_of_loopback_are_served(wire: Wire, host: str) -> None:
    assert (await wire.http.get("/api/v1/system", headers={"host": host})).status_code == 200


async def test_a_body_above_the_limit_is_refused_unparsed(wire: Wire) -> None:
    request = StartRequest(definition="release", input="x" * BODY_LIMIT_BYTES)
    with pytest.raises(LimitExceeded, match="the limit is 1048576"):
        await wire.commands.start(request)
    assert not wire.control.calls


async def test_a_body_that_grows_beyond_the_limit_is_refused(wire: Wire) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * (BODY_LIMIT_BYTES // 4)

    answer = await wire.http.post("/api/v1/workflows", content=chunks())
    assert answer.status_code == 413


async def test_broken_json_is_a_problem_of_shape(wire: Wire) -> None:
    answer = await wire.http.post("/api/v1/workflows", content=b'{"definition"')
    assert answer.status_code == 422
    assert orjson.loads(answer.content)["type"] == "urn:stagewright:error:validation-failed"


async def test_a_label_without_a_value_is_a_problem_of_usage(wire: Wire) -> None:
    answer = await wire.http.get("/api/v1/workflows", params={"label": "team"})
    assert answer.status_code == 400
    assert "KEY=VALUE" in answer.json()["detail"]


async def test_a_field_that_no_command_has_is_named(wire: Wire) -> None:
    answer = await wire.http.post(f"/api/v1/workflows/{ID}/pause", json={"colour": "red"})
    assert answer.status_code == 422
    assert ValidationFailed.exit_code == answer.json()["exit_code"]
    assert answer.json()["problems"][0]["pointer"] == "/colour"
