"""What the door answers over a real store: starts, lists, closer looks, jobs, probes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from stagewright.domain.errors import StoreFailed
from stagewright.entrypoints.api.access import Principal, Scope
from tests.unit.application.world import running
from tests.unit.entrypoints.api.served import Served, furnish, served

API = "/api/v1"


@pytest.fixture
async def here() -> AsyncIterator[Served]:
    async with served() as made:
        await furnish(made.world)
        yield made


async def start(here: Served, body: dict[str, Any], key: str | None = None) -> tuple[int, Any]:
    headers = {} if key is None else {"idempotency-key": key}
    answer = await here.http.post(f"{API}/workflows", json=body, headers=headers)
    return answer.status_code, answer.json()


# --- starts ---------------------------------------------------------------------------------------


async def test_two_words_for_one_thing_start_the_same_workflow(here: Served) -> None:
    body = {"definition": "job", "input": {"goal": "g"}, "key": "k", "name": "Release 7"}
    created, first = await start(here, body)
    other = {"type": "job", "requirements": {"goal": "g"}, "name": "Release 7"}
    seen, second = await start(here, other, key="k")
    assert (created, seen) == (201, 200)
    assert first["workflow_id"] == second["workflow_id"]
    assert first["durability"] == "none"
    shown = (await here.http.get(f"{API}/workflows/{first['workflow_id']}")).json()
    assert (shown["title"], shown["input"]) == ("Release 7", {"goal": "g"})


async def test_a_key_with_another_body_is_a_conflict(here: Served) -> None:
    given = {"type": "job", "input": {}}
    assert (await start(here, given, key="k"))[0] == 201
    for changed in ({"input": {"goal": "x"}}, {"name": "other"}, {"description": "other"}):
        status, problem = await start(here, {**given, **changed}, key="k")
        assert (status, problem["type"]) == (409, "urn:stagewright:error:conflict")


@pytest.mark.parametrize(
    ("body", "key", "pointer"),
    [
        ({"type": "job", "key": "a"}, "b", "/key"),
        ({"type": "job", "definition": "sale"}, None, "/definition"),
        ({"type": "job", "input": 1, "requirements": 2}, None, "/input"),
        ({"input": {}}, None, "/definition"),
        ({"type": "job", "labels": {"team": 7}}, None, "/labels/team"),
        ({"type": "job", "priority": 9}, None, "/priority"),
        ({"type": "job", "colour": "red"}, None, "/colour"),
        ({"type": "job", "input": {"goal": 7}}, None, "/input/goal"),
        ({"type": "job", "name": "x" * 201}, None, "/name"),
    ],
)
async def test_each_wrong_field_is_pointed_at(
    here: Served, body: dict[str, Any], key: str | None, pointer: str
) -> None:
    status, problem = await start(here, body, key)
    assert status == 422
    assert pointer in [one["pointer"] for one in problem["problems"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"type":"job","type":"sale"}', "stands twice"),
        (b'{"type":"job","input":' + b"[" * 100 + b"]" * 100 + b"}", "nesting"),
        (b'{"type":"job","input":1e999}', "JSON"),
        (b"{", "JSON"),
        (b"\xff", "JSON"),
    ],
)
async def test_json_is_bounded_before_it_is_read(here: Served, body: bytes, told: str) -> None:
    headers = {"content-type": "application/json"}
    answer = await here.http.post(f"{API}/workflows", content=body, headers=headers)
    assert answer.status_code in {413, 422}
    assert told in answer.json()["detail"]


# --- lists ----------------------------------------------------------------------------------------


async def listed(here: Served, query: str) -> list[str]:
    answer = await here.http.get(f"{API}/workflows?{query}")
    assert answer.status_code == 200, answer.text
    return [row["status"] for row in answer.json()["rows"]]


async def test_filters_combine_and_may_be_repeated(here: Served) -> None:
    assert sorted(await listed(here, "definition=job")) == ["cancelled", "running", "waiting"]
    assert sorted(await listed(here, "status=cancelled&status=running")) == ["cancelled", "running"]
    assert await listed(here, "label=team%3Dweb&status=waiting") == ["waiting"]
    assert await listed(here, "label=team%3Dweb&label=tier%3D1") == []
    assert await listed(here, "waiting=approval&text=p") == ["waiting"]
    oldest = (await here.http.get(f"{API}/workflows?sort=updated&limit=1")).json()
    assert oldest["cursor"] is not None


@pytest.mark.parametrize(
    "query",
    ["status=odd", "limit=0", "limit=1001", "label=x", "cursor=odd", "colour=red", "sort=name"],
)
async def test_a_filter_that_cannot_be_is_a_problem(here: Served, query: str) -> None:
    answer = await here.http.get(f"{API}/workflows?{query}")
    assert answer.status_code in {400, 422}
    assert query.partition("=")[0] in answer.text.lower()


async def test_a_filter_is_counted(here: Served) -> None:
    whole = (await here.http.get(f"{API}/workflows/count")).json()
    some = (await here.http.get(f"{API}/workflows/count?definition=job&most=2")).json()
    assert (whole, some) == ({"count": 4, "exact": True}, {"count": 2, "exact": False})


# --- closer looks ---------------------------------------------------------------------------------


async def test_a_stage_its_payloads_and_what_was_used_can_be_reached(here: Served) -> None:
    (row,) = (await here.http.get(f"{API}/workflows?waiting=approval")).json()["rows"]
    base = f"{API}/workflows/{row['workflow_id']}"
    assert (await here.http.get(base)).json()["usage"]["total"] == {"tokens": 3}
    stage = (await here.http.get(f"{base}/stages/build")).json()
    assert (stage["visits"][0]["output"], stage["visits"][0]["output_key"]) == ({"n": 1}, "build/1")
    assert (await here.http.get(f"{base}/outputs/build/1")).json() == {"n": 1}
    assert (await here.http.get(f"{base}/stages/nowhere")).status_code == 404
    assert (await here.http.get(f"{base}/outputs/nowhere")).status_code == 404


async def test_an_inbox_is_asked_for_a_person(here: Served) -> None:
    for_ann = (await here.http.get(f"{API}/approvals?by=ann")).json()["approvals"]
    assert [(one["stage"], one["approvers"]) for one in for_ann] == [("gate", ["ann"])]
    assert (await here.http.get(f"{API}/approvals?by=bob")).json()["approvals"] == []


async def test_a_definition_is_drawn_and_asked_for(here: Served) -> None:
    base = f"{API}/definitions/job"
    assert (await here.http.get(f"{base}/detail")).json()["versions"][0]["contracts_checked"]
    assert (await here.http.get(f"{base}/graph")).json()["start"] == "build"
    assert (await here.http.get(f"{base}/diagram")).text.startswith("flowchart TD")
    assert (await here.http.get(f"{base}/form")).json()["fields"][0]["pointer"] == "/goal"
    assert (await here.http.get(f"{base}/input-schema")).json()["type"] == "object"
    assert (await here.http.get(f"{base}/statistics")).json()["cancelled"] == 1


async def test_agents_say_what_waits_for_them(here: Served) -> None:
    agents = (await here.http.get(f"{API}/agents")).json()
    assert {one["name"]: one["queued"] for one in agents} == {"build": 1, "check": 0}
    assert "no live worker" in (await here.http.get(f"{API}/agents/build")).json()["reason"]


async def test_dead_letters_are_dealt_with_by_cause(here: Served) -> None:
    (group,) = (await here.http.get(f"{API}/dead-letters/groups")).json()["groups"]
    action = {"action": "discard", "cause": group["cause"], "reason": "a stray copy"}
    report = (await here.http.post(f"{API}/dead-letters/bulk", json=action)).json()
    assert (report["done"], report["refused"]) == (1, 0)
    gone = await here.http.post(f"{API}/dead-letters/{group['letters'][0]}/discard", json={})
    assert gone.status_code == 404


async def test_the_doctor_is_asked_over_http(here: Served) -> None:
    found = (await here.http.get(f"{API}/system/doctor")).json()
    assert {one["check"] for one in found} >= {"backend", "orchestrators", "dead letters"}


# --- who says so ----------------------------------------------------------------------------------


async def test_a_command_is_given_in_ones_own_name(here: Served) -> None:
    here.who.append(Principal("key-7", frozenset({Scope.OPERATE, Scope.READ})))
    (row,) = (await here.http.get(f"{API}/workflows?label=team%3Dweb")).json()["rows"]
    path = f"{API}/workflows/{row['workflow_id']}"
    assert (await here.http.post(f"{path}/pause", json={"by": "the boss"})).status_code == 200
    (waiting, *_) = (await here.http.get(path)).json()["waiting"]
    assert waiting["owner"] == "key-7"


async def test_who_may_do_everything_speaks_for_others(here: Served) -> None:
    (row,) = (await here.http.get(f"{API}/workflows?label=team%3Dweb")).json()["rows"]
    path = f"{API}/workflows/{row['workflow_id']}"
    await here.http.post(f"{path}/pause", json={"by": "ann"})
    assert (await here.http.get(path)).json()["waiting"][0]["owner"] == "ann"


async def test_a_group_cannot_be_claimed_by_saying_so(here: Served) -> None:
    here.who.append(Principal("mallory", frozenset({Scope.APPROVE, Scope.READ})))
    (one,) = (await here.http.get(f"{API}/approvals")).json()["approvals"]
    body = {"stage": "gate", "by": "ann", "groups": ["ops"]}
    answer = await here.http.post(f"{API}/workflows/{one['workflow_id']}/approve", json=body)
    assert answer.status_code == 409
    assert "mallory is not among ann" in answer.json()["detail"]


# --- jobs -----------------------------------------------------------------------------------------


async def test_a_job_is_begun_and_followed(here: Served) -> None:
    body = {"action": "cancel", "filter": {"definition": "job"}, "reason": "enough"}
    rehearsal = await here.http.post(f"{API}/workflows/bulk", json={**body, "dry_run": True})
    assert (rehearsal.status_code, rehearsal.json()["total"]) == (200, 3)
    keyed = {"idempotency-key": "k"}
    begun = await here.http.post(f"{API}/workflows/bulk", json=body, headers=keyed)
    again = await here.http.post(f"{API}/workflows/bulk", json=body, headers=keyed)
    assert (begun.status_code, begun.json()["job_id"]) == (202, again.json()["job_id"])
    async with here.world.clock.auto():
        for _ in range(5):
            job = (await here.http.get(begun.headers["location"])).json()
    assert (job["status"], job["changed"], job["refused"]) == ("done", 2, 1)
    assert [each["job_id"] for each in (await here.http.get(f"{API}/bulk")).json()] == [
        job["job_id"]
    ]


async def test_deciding_for_many_needs_the_scope_for_it(here: Served) -> None:
    here.who.append(Principal("key-7", frozenset({Scope.OPERATE})))
    body = {"action": "approve", "filter": {"waiting": "approval"}}
    answer = await here.http.post(f"{API}/workflows/bulk", json=body)
    assert answer.status_code == 403
    assert "'approve'" in answer.json()["detail"]


# --- probes ---------------------------------------------------------------------------------------


async def test_probes_need_no_key_and_all_else_does(here: Served) -> None:
    for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 200), (API, 401)):
        answer = await here.http.get(path, headers={"authorization": ""})
        assert answer.status_code == status, path


async def test_a_store_that_does_not_answer_is_not_ready_and_says_no_more(
    here: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise StoreFailed("/secret/state.db", "the disk is gone")

    monkeypatch.setattr(here.world.backend.store, "health", broken)
    answer = await here.http.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "secret" not in answer.text
    assert (await here.http.get("/livez")).status_code == 200


async def test_measurements_are_named_and_bounded(here: Served) -> None:
    async with running(here.world.orchestrator()):
        text = (await here.http.get("/metrics")).text
    assert 'stagewright_workflows{status="running"} 1.0' in text
    assert 'stagewright_lane_queued_tasks{lane="build@1.0",priority="2"} 1.0' in text
    assert "stagewright_ready 1.0" in text
    ids = [row["workflow_id"] for row in (await here.http.get(f"{API}/workflows")).json()["rows"]]
    assert not any(id_ in text for id_ in ids)


async def test_a_method_that_there_is_not_names_those_that_are(here: Served) -> None:
    answer = await here.http.put(f"{API}/system")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
