"""At every moment of a run somebody can be named who may change something, and how."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Member, Place, until

MOMENTS = str(Path(__file__).with_name("moments.py"))
AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class World:
    """One process that owns a file, with a workflow at every moment."""

    def __init__(self, place: Place) -> None:
        self.place = place
        place.env |= {"STAGEWRIGHT_GRACE_S": "0.1", "PYTHONPATH": str(Path(__file__).parents[2])}
        self.dev: Member = place.start("dev", "dev", MOMENTS, "--concurrency", "1")
        self.ids: dict[str, str] = {}
        place.ask(self._begin)

    def _begin(self, client: Any) -> None:
        for name, kind in STARTS:
            id_ = client.start(name, 7).workflow_id
            until(lambda id_=id_, kind=kind: kind in {w.kind for w in client.explain(id_)})
            self.ids[name if name not in self.ids else f"{name} second"] = id_
        client.pause(self.ids["paused"], by="eve", reason="lunch")

    def explain(self, name: str) -> list[Any]:
        waiting = self.place.ask(lambda client: client.explain(self.ids[name]))
        return [reason.model_dump() for reason in waiting]


STARTS = [
    ("leased", "leased"), ("leased", "queued"), ("deserted", "queued"), ("outdated", "queued"),
    ("retried", "retry"), ("held", "held"), ("timed", "timer"), ("signalled", "signal"),
    ("approved", "approval"), ("grouped", "group"), ("paused", "signal"),
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    place = Place(folder, f"sqlite:///{folder / 'state.db'}")
    try:
        yield World(place)
    finally:
        place.close()


QUEUED = f"queued since {AT}"
REASONS = {
    "leased": (rf"leased by (\S+) until {AT}", r"[^ ]+:\d+:[0-9a-f]+", ""),
    "leased second": (rf"{QUEUED} at 1 in robot@1\.0", r"1 live agent of robot@1\.0", ""),
    "deserted": (
        rf"{QUEUED}, no live agent of ghost@\^1",
        "whoever runs ghost",
        "stagewright dev MODULE",
    ),
    "outdated": (
        rf"{QUEUED}, no live agent of ghost@\^2\.3",
        "whoever runs ghost",
        "stagewright dev MODULE",
    ),
    "retried": (
        f"attempt 2 at {AT}; the one before: dropped part 7",
        "orchestrator-[0-9a-f]+",
        "stagewright workflow retry ID",
    ),
    "held": (
        "held because it ended as failed: part 7 is beneath me",
        "people",
        "stagewright workflow retry ID --stage drill",
    ),
    "timed": (f"waits until {AT}", "orchestrator-[0-9a-f]+", ""),
    "signalled": (
        f"waits for the signal arrived until {AT}",
        "whoever sends arrived",
        "stagewright workflow signal ID arrived",
    ),
    "approved": (
        "waits for 2 approvals of bob, group:law",
        "bob, group:law",
        "stagewright workflow approve ID --stage sign --as NAME",
    ),
    "paused": ("paused by eve: lunch", "eve", "stagewright workflow resume ID"),
    "grouped": ("waits for 2 of 2 branches", "its branches", ""),
}


@pytest.mark.parametrize("moment", REASONS)
def test_a_waiting_workflow_says_why_who_and_how(world: World, moment: str) -> None:
    reason, owner, remedy = REASONS[moment]
    found = world.explain(moment)[0]
    assert re.fullmatch(reason, found["reason"]), found
    assert re.fullmatch(owner, found["owner"]), found
    assert found["remedy"] == remedy.replace("ID", world.ids[moment])
    assert found["since_ms"] <= time.time() * 1_000


def test_what_is_said_in_json_is_said_to_people(world: World) -> None:
    id_ = world.ids["held"]
    answer = world.place.cli("workflow", "explain", id_, "--json").json
    assert (answer["workflow_id"], answer["status"]) == (id_, "waiting")
    assert answer["waiting"] == world.explain("held")
    (found,) = answer["waiting"]
    lines = world.place.cli("workflow", "explain", id_).out.splitlines()
    assert lines[0] == f"drill: {found['reason']}"
    assert lines[1].startswith("  owner people, since ")
    assert lines[2] == f"  → {found['remedy']}"


def test_branches_of_a_group_are_explained_too(world: World) -> None:
    stages = {found["stage"]: found["kind"] for found in world.explain("grouped")}
    assert stages == {"both": "group", "lead-time": "timer", "tin-truck": "signal"}


def test_the_holder_of_a_lease_is_the_process_that_works(world: World) -> None:
    (found,) = world.explain("leased")
    assert found["owner"] in found["reason"]
    assert str(world.dev.pid) in found["owner"].split(":")
    assert found["since_ms"] < found["until_ms"] <= found["detail"]["deadline_at_ms"]


def test_when_the_owner_of_the_file_has_stopped_that_is_what_is_told(place: Place) -> None:
    world = World(place)
    world.dev.stop()
    (leased,) = world.explain("leased")
    assert re.fullmatch(rf"{QUEUED}, no live agent of robot@\^1", leased["reason"])
    (timed,) = world.explain("timed")
    assert timed["owner"] == "no orchestrator is alive: start one with `stagewright serve`"
    (approved,) = world.explain("approved")
    assert approved["owner"] == "bob, group:law"
