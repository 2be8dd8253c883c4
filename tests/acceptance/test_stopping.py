"""Asking agents to stop in the middle of their work: they finish it, or hand it back."""

from __future__ import annotations

import pytest

from tests.acceptance.gates import ASSEMBLY, Gates, end_of, start
from tests.processes import Member, Place, until


class Line:
    """An assembly on Redis whose drill is at work."""

    def __init__(self, place: Place) -> None:
        self.place, self.gates = place, Gates(place)
        place.env["STAGEWRIGHT_LEASE_S"] = "600"  # whoever waits for it to run out, waits too long
        self.gates.shut("drill")
        place.cli("definition", "register", ASSEMBLY)
        place.start("orchestrator", "serve")

    def agents(self, name: str, grace_s: str) -> Member:
        return self.place.start(name, "agent", "run", ASSEMBLY, STAGEWRIGHT_GRACE_S=grace_s)

    def drills(self) -> int:
        return sum(stage == "drill" for _, stage, *_ in self.gates.executions())


@pytest.fixture
def line(shared: Place) -> Line:
    return Line(shared)


def test_a_task_that_ends_within_the_grace_time_is_done_once(line: Line) -> None:
    agents = line.agents("agents-1", grace_s="60")
    workflow_id = start(line.place)
    line.gates.wait_for("drill")
    agents.ask_to_stop()
    until(lambda: "runner_stopping" in agents.log)
    line.gates.open("drill")
    assert agents.ended() == 0
    line.agents("agents-2", grace_s="60")
    assert "drill" in end_of(line.place, workflow_id)
    assert line.drills() == 1


def test_a_task_that_does_not_is_handed_back_at_once(line: Line) -> None:
    agents = line.agents("agents-1", grace_s="0.1")
    workflow_id = start(line.place)
    line.gates.wait_for("drill")
    assert agents.stop() == 0
    (reason,) = line.place.cli("workflow", "explain", workflow_id, "--json").json["waiting"]
    assert reason["reason"].endswith("no live agent of drill@^1")
    assert reason["remedy"] == "stagewright agent run MODULE:drill"
    line.agents("agents-2", grace_s="0.1")
    line.gates.open("drill")
    assert "drill" in end_of(line.place, workflow_id)
    assert line.drills() == 2
