"""Killing whoever does the work, in the middle of the work."""

from __future__ import annotations

from collections import Counter

import pytest

from stagewright.testing.servers import RedisServer
from tests.acceptance.assembly import STAGES
from tests.acceptance.conftest import redis_cli
from tests.acceptance.gates import ASSEMBLY, Gates, end_of, start
from tests.processes import Place


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_killed_owner_of_a_file_goes_on_where_it_was(place: Place, command: str) -> None:
    gates = Gates(place)
    gates.shut("bend")
    owner = place.start("owner", command, ASSEMBLY)
    workflow_id = start(place)
    gates.wait_for("bend")
    owner.kill()
    gates.open("bend")
    owner.start().wait_ready()
    assert end_of(place, workflow_id) == list(STAGES)
    assert [row.workflow_id for row in place.ask(lambda client: client.list()).rows] == [
        workflow_id
    ]
    assert Counter(stage for _, stage, *_ in gates.executions()) == dict.fromkeys(STAGES, 1) | {
        "bend": 2
    }


def test_any_process_may_be_killed_and_replaced_on_redis(shared: Place) -> None:
    gates = Gates(shared)
    shared.cli("definition", "register", ASSEMBLY)
    members = [
        shared.start("orchestrator", "serve"),
        shared.start("agents-1", "agent", "run", ASSEMBLY),
        shared.start("agents-2", "agent", "run", ASSEMBLY),
    ]
    stages = ("drill", "bend", "paint")
    for stage in stages:
        gates.shut(stage)
    workflow_id = start(shared)
    for member, stage in zip(members, stages, strict=True):
        gates.wait_for(stage)
        member.kill()
        gates.open(stage)
        member.start().wait_ready()
    assert end_of(shared, workflow_id) == list(STAGES)
    steps = shared.ask(lambda client: client.log(workflow_id)).records
    ended = [e["stage"] for step in steps for e in step["events"] if e["type"] == "STAGE_COMPLETE"]
    assert ended == list(STAGES)


def test_every_key_of_a_workflow_carries_the_tag_of_its_partition(
    shared: Place, redis: RedisServer
) -> None:
    gates = Gates(shared)
    gates.shut("drill")
    shared.cli("definition", "register", ASSEMBLY)
    shared.start("orchestrator", "serve")
    shared.start("agents", "agent", "run", ASSEMBLY)
    workflow_id = start(shared)
    gates.wait_for("drill")
    partition, _, unique = workflow_id.partition("-")
    before = redis_cli(redis, "--scan").split()
    gates.open("drill")
    end_of(shared, workflow_id)
    after = redis_cli(redis, "--scan").split()
    own = {key for key in (*before, *after) if unique in key}
    kinds = {"w": "snapshot and outputs", "l": "log", "n": "notes", "b": "blobs"}
    assert {key.split(":")[2] for key in own} == set(kinds)
    assert {key.split("{")[1].split("}")[0] for key in own} == {partition}
