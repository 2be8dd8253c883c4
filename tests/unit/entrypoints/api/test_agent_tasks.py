"""The routes of agents in any language: what they answer, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.bounds import BODY_LIMIT_BYTES
from stagewright.ports.workflow_store import Query
from tests.unit.application import world as worlds
from tests.unit.application.desks import contract
from tests.unit.entrypoints.api.desks import Wire, opened, worker
from tests.unit.entrypoints.fakes import FakeControl, door_of


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with worlds.opened() as world:
        await world.register(contracts=[contract("build"), contract("check")])
        await world.start({"text": "a"})
        async with opened(world) as made:
            yield made


async def test_a_task_is_claimed_extended_and_completed(wire: Wire) -> None:
    task = await wire.task(lease_s=20)
    assert task["input"] == {"text": "a"}
    await wire.world.clock.advance(10)
    extended = (await wire.tell(task, "extend", lease_s=20)).json()
    assert extended["expires_at_ms"] == task["expires_at_ms"] + 10_000
    receipt = await wire.tell(task, "complete", output={"text": "b"})
    assert (receipt.status_code, receipt.json()["result"]) == (200, "complete")
    assert (await wire.tell(task, "complete", output={"text": "b"})).json() == receipt.json()


async def test_a_shell_finds_task_and_token_at_the_beginning(wire: Wire) -> None:
    answer = await wire.post("/agents/build/claim", {})
    assert answer.text.startswith('{"tasks":[{"task":"p')
    assert ',"token":1,' in answer.text[:120]


async def test_another_result_and_a_lost_lease_are_conflicts_with_their_reasons(wire: Wire) -> None:
    task = await wire.task()
    await wire.tell(task, "release")
    now = await wire.task(holder="node-2")
    late = await wire.tell(task, "complete", output={"text": "late"})
    assert late.status_code == 409
    assert late.json()["type"] == "urn:stagewright:error:lease-lost"
    assert late.json()["attributes"]["holder"] == "http:node-2"
    assert "http:node-2 has held the task since" in late.json()["detail"]
    for what in ("extend", "events"):
        body = {"events": [{"event": "log", "message": "m"}]} if what == "events" else {}
        assert (await wire.tell(task, what, **body)).status_code == 409
    await wire.tell(now, "complete", output={"text": "b"})
    other = await wire.tell(now, "complete", output={"text": "c"})
    assert (other.status_code, other.json()["type"]) == (
        409,
        "urn:stagewright:error:result-differs",
    )


async def test_a_broken_contract_is_told_in_the_receipt(wire: Wire) -> None:
    receipt = (await wire.tell(await wire.task(), "complete", output={"text": 5})).json()
    assert receipt["result"] == "invalid"
    assert (await wire.task())["feedback"][0]["errors"] == receipt["problems"]


async def test_a_failure_is_told_by_type_and_message(wire: Wire) -> None:
    receipt = await wire.tell(await wire.task(), "fail", type="Hoarse", message="no", final=True)
    assert receipt.json()["outcome"] == "failed"
    (row,) = (await wire.world.queries.list(Query())).rows
    error = (await wire.world.queries.show(row.workflow_id)).errors[0]
    assert error == {"type": "Hoarse", "message": "no", "final": True}


async def test_files_are_kept_and_told(wire: Wire) -> None:
    task = await wire.task()
    address = f"/api/v1/tasks/{task['task']}"
    query = {"token": task["token"], "name": "report.txt"}
    stored = (await wire.http.post(address + "/artifacts", params=query, content=b"abc")).json()
    got = await wire.http.get(f"{address}/blobs/{stored['hash']}", params={"token": 1})
    assert got.content == b"abc"
    (note,) = (await wire.world.queries.log(task["workflow_id"], "notes")).records
    assert (note["kind"], note["name"], note["bytes"]) == ("artifact", "report.txt", 3)
    put = await wire.http.post(address + "/blobs", params={"token": 1}, content=b"{}")
    assert (put.status_code, put.json()["bytes"]) == (201, 2)


async def test_files_may_be_bigger_than_other_requests() -> None:
    big = {"content-length": str(BODY_LIMIT_BYTES + 1)}
    answers = {}
    for path in ("/tasks/p00-1/build/1/1/blobs", "/tasks/p00-1/build/1/1/complete", "/blobs"):
        app = create_app(door_of(FakeControl(), "t"))
        async with httpx2.AsyncClient(
            base_url="http://127.0.0.1", transport=httpx2.ASGITransport(app=app)
        ) as http:
            headers = {"authorization": "Bearer t", **big}
            answer = await http.post(f"/api/v1{path}?token=1", content=b"x", headers=headers)
            answers[path.rpartition("/")[0][:6] + path.rpartition("/")[2]] = answer.status_code
    assert answers == {"/tasksblobs": 404, "/taskscomplete": 413, "blobs": 413}


async def test_several_leases_are_renewed_in_one_call(wire: Wire) -> None:
    task = await wire.task()
    leases = [{"task": task["task"], "token": token} for token in (task["token"], 99)]
    first, second = (await wire.post("/tasks/extend", {"leases": leases})).json()
    assert first["expires_at_ms"]
    assert (second["expires_at_ms"], second["reason"]) == (None, "this token was never given")


async def test_nothing_stays_leased_for_a_client_that_went_away(wire: Wire) -> None:
    await wire.task()
    poll = asyncio.create_task(wire.post("/agents/build/claim", {"wait_s": 30}))
    await wire.until(lambda: wire.inside.desk.polls.waiting == 1)
    poll.cancel()
    await wire.until(lambda: wire.inside.desk.polls.waiting == 0)


async def test_a_contract_is_registered_once_for_each_version(wire: Wire) -> None:
    given = {"version": "1.2.0", "output": {"type": "integer"}, "outcomes": ["odd"]}
    path = "/api/v1/agents/count/contract"
    first = await wire.http.put(path, json=given)
    assert (await wire.http.put(path, json=given)).json() == first.json()
    (read,) = (await wire.http.get("/api/v1/contracts", params={"name": "count"})).json()
    assert read == first.json()
    other = await wire.http.put(path, json=given | {"output": {"type": "string"}})
    assert other.status_code == 409
    edited = await wire.http.put(
        path, json=given | {"output": {"type": "string"}, "development": True}
    )
    assert edited.json()["version"].startswith("1.2.0+dev.")


FOREIGN: list[tuple[str, str, Any]] = [
    ("post", "/agents/build/claim", {}),
    ("put", "/agents/build/contract", {}),
    ("put", "/holders/me", {"started_at_ms": 1, "agents": {"build": {}}}),
    ("post", "/hints", {"lanes": ["build@1.0"]}),
    ("post", "/tasks/TASK/extend", {"token": 1}),
    ("post", "/tasks/TASK/complete", {"token": 1}),
    ("post", "/tasks/TASK/fail", {"token": 1}),
    ("post", "/tasks/TASK/release", {"token": 1}),
    ("post", "/tasks/TASK/events", {"token": 1, "events": [{"event": "log", "message": "m"}]}),
    ("post", "/tasks/TASK/artifacts?token=1&name=a", None),
    ("post", "/tasks/TASK/blobs?token=1", None),
    ("get", f"/tasks/TASK/blobs/{'0' * 64}?token=1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
async def test_a_foreign_agent_is_forbidden_everything(
    wire: Wire, method: str, path: str, body: Any
) -> None:
    task = await wire.task()
    wire.principal = worker("check")
    address = f"/api/v1{path.replace('TASK', task['task'])}"
    answer = await wire.http.request(method, address, json=body)
    assert answer.status_code == 403
    assert "agent:build" in answer.json()["detail"]
    wire.principal = worker("build")
    assert (await wire.tell(task, "complete", output={"text": "b"})).status_code == 200


async def test_leases_of_foreign_agents_cannot_hide_among_others(wire: Wire) -> None:
    task = await wire.task()
    wire.principal = worker("check")
    leases = [{"task": task["task"], "token": 1}]
    assert (await wire.post("/tasks/extend", {"leases": leases})).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slots": 0}, "slots"),
        ({"slots": 65}, "slots"),
        ({"wait_s": 31}, "wait_s"),
        ({"lease_s": 0.5}, "lease_s"),
        ({"version": "one"}, "version"),
        ({"holder": "a b"}, "holder"),
        ({"claim_id": ""}, "claim_id"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_claim_out_of_bounds_names_the_field(wire: Wire, body: Any, field: str) -> None:
    answer = await wire.post("/agents/build/claim", body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"].startswith(f"/{field}")


@pytest.mark.parametrize(
    "body",
    [b'{"token":1,"token":1}', b'{"token":1,"output":NaN}', b'{"token":1,"output":' + b"[" * 90],
)
async def test_json_that_parsers_read_differently_is_refused(wire: Wire, body: bytes) -> None:
    task = await wire.task()
    answer = await wire.http.post(f"/api/v1/tasks/{task['task']}/complete", content=body)
    assert answer.status_code in {400, 413, 422}
    assert (await wire.tell(task, "complete", output={"text": "b"})).json()["result"] == "complete"


async def test_signs_of_life_and_goodbyes_are_taken(wire: Wire) -> None:
    sign = {"started_at_ms": 1, "agents": {"build": {"lanes": ["build@1.0"], "version": "1.0.0"}}}
    assert (await wire.http.put("/api/v1/holders/me", json=sign)).status_code == 204
    assert [a.holder for a in (await wire.world.queries.system()).agents] == ["http:me"]
    assert (await wire.http.delete("/api/v1/holders/me")).status_code == 204
    assert (await wire.world.queries.system()).agents == []


async def test_hints_come_when_there_is_work(wire: Wire) -> None:
    hearing = asyncio.create_task(wire.post("/hints", {"lanes": ["build@1.0"], "wait_s": 30}))
    await wire.until(lambda: wire.inside.desk.polls.waiting == 1)
    await wire.world.start({"text": "b"})
    assert (await hearing).json() == {"work": True, "withdrawn": []}
