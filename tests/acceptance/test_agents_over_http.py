"""Agents in JavaScript and shell claim, tell and finish tasks over HTTP."""

from __future__ import annotations

import re

import orjson

from tests.acceptance.over_http import node, post, served, shell
from tests.processes import Place, until

FLOW = """
name: news
input:
  type: object
  required: [text]
  properties: {text: {type: string}}
stages:
  - {name: headline, agent: headline@^1, with: {from: input}}
  - {name: count, agent: count@^1, with: {from: stages.headline.output.title}}
"""
TEXT = "agents of many languages do the work"


def start(place: Place) -> str:
    given = orjson.dumps({"text": TEXT}).decode()
    answer = place.cli("workflow", "start", "news", "--input", given, "--json").json
    return str(answer["workflow_id"])


def test_agents_in_javascript_and_shell_complete_one_workflow(place: Place) -> None:
    _, address = served(place)
    with node(place, address), shell(place, address):
        place.write("news.yaml", FLOW)
        place.cli("definition", "register", "news.yaml", "--registered")
        workflow_id = start(place)
        view = place.ask(lambda client: client.wait(workflow_id, timeout_s=30))
        assert view.stage_outputs == {"headline": {"title": "AGENTS OF MANY"}, "count": 3}
        attempts = {stage.name: stage.attempt for stage in view.stages}
        assert attempts == {"headline": 2, "count": 1}  # the first title was too long
        notes = place.cli("workflow", "log", workflow_id, "--notes").out
        assert "attempt 2" in notes
        assert "counted" in notes
        living = place.ask(lambda client: client.system()).agents
        assert {name for one in living for name in one.agents} == {"headline", "count"}


def test_a_claim_whose_lease_ran_out_is_refused_with_the_reason(place: Place) -> None:
    _, address = served(place)
    place.write("news.yaml", FLOW)
    place.cli("definition", "register", "news.yaml")
    workflow_id = start(place)
    wish = {"holder": "first", "lease_s": 1}
    (late,) = post(address, "/agents/headline/claim", wish).json()["tasks"]
    wish = {"holder": "second", "wait_s": 20}
    (now,) = post(address, "/agents/headline/claim", wish).json()["tasks"]
    assert now["task"] == late["task"]
    for what in ("extend", "complete"):
        refused = post(address, f"/tasks/{late['task']}/{what}", {"token": late["token"]})
        assert refused.status_code == 409
        assert "http:second has held the task since" in refused.json()["detail"]
    owner = place.ask(lambda client: client.explain(workflow_id))[0].owner
    assert owner == "http:second"


def test_agents_go_on_when_their_server_was_killed(place: Place) -> None:
    server, address = served(place)
    port = int(address.rpartition(":")[2])
    with node(place, address) as first, shell(place, address) as second:
        place.write("news.yaml", FLOW)
        place.cli("definition", "register", "news.yaml", "--registered")
        server.kill()
        place.start("again", "serve", "--port", str(port), STAGEWRIGHT_TOKEN="open-sesame")
        workflow_id = start(place)
        view = place.ask(lambda client: client.wait(workflow_id, timeout_s=30))
        assert view.status == "completed"
        until(lambda: re.search(r"/headline/1/2: complete", first.log))
        assert "refused" not in second.log


def test_a_lease_outlives_the_server_that_gave_it(place: Place) -> None:
    server, address = served(place)
    place.write("news.yaml", FLOW)
    place.cli("definition", "register", "news.yaml")
    workflow_id = start(place)
    (task,) = post(address, "/agents/headline/claim", {"lease_s": 60}).json()["tasks"]
    server.kill()
    _, address = served(place)
    path = f"/tasks/{task['task']}"
    assert post(address, f"{path}/extend", {"token": task["token"]}).status_code == 200
    body = {"token": task["token"], "output": {"title": "Done"}}
    receipt = post(address, f"{path}/complete", body)
    assert receipt.json()["result"] == "complete"
    assert post(address, f"{path}/complete", body).json() == receipt.json()
    other = post(address, f"{path}/complete", body | {"output": {"title": "Other"}})
    assert (other.status_code, "another result" in other.json()["detail"]) == (409, True)
    assert place.ask(lambda client: client.show(workflow_id)).current_stage == "count"
