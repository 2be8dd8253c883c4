"""What the README shows is what happens."""

from __future__ import annotations

import shlex

from stagewright.sync import Stagewright
from tests.acceptance.documents import blocks
from tests.processes import Place, until


def test_the_example_runs_until_an_editor_approves(place: Place) -> None:
    (example,) = blocks("README.md", "python")
    place.write("article.py", example)
    started = shlex.split(place.start("dev", "dev", "article.py").announced["start"])
    assert started[:4] == ["stagewright", "workflow", "start", "article"]
    workflow_id = place.cli(*started[1:-1], "--json").json["workflow_id"]
    with Stagewright(place.url) as client:
        until(lambda: client.show(workflow_id).current_stage == "review")
    explained = place.cli("workflow", "explain", workflow_id, "--json").json
    (reason,) = explained["waiting"]
    assert (reason["stage"], reason["owner"]) == ("review", "editors")
    assert reason["reason"] == "waits for 1 approval of editors"
    command = shlex.split(reason["remedy"].replace("NAME", "editors"))
    assert command[:4] == ["stagewright", "workflow", "approve", workflow_id]
    place.cli(*command[1:])
    shown = place.cli("workflow", "show", workflow_id, "--json").json
    assert (shown["status"], shown["output"]["decided_by"]) == ("completed", ["editors"])


def test_the_example_has_the_length_it_is_announced_with() -> None:
    (example,) = blocks("README.md", "python")
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 20
