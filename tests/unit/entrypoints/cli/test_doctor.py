from __future__ import annotations

from stagewright.ports.views import LaneView
from tests.unit.entrypoints.cli.conftest import Cli
from tests.unit.entrypoints.fakes import FakeControl, system


def test_a_check_that_fails_ends_with_code_one_and_a_remedy(cli: Cli, control: FakeControl) -> None:
    lane = LaneView(lane="build@1.0", priority=2, queued=3)
    control.health = system(lanes=[lane], backend="redis://127.0.0.1:6379/0")
    answer = cli("doctor")
    assert answer.code == 1
    assert "✗ lanes: 3 tasks wait in build@1.0 P2, no live agent" in answer.out
    assert "→ Run `stagewright agent run MODULE:build`." in answer.out


def test_warnings_alone_are_no_failure(cli: Cli) -> None:
    answer = cli("doctor", "--json")
    assert answer.code == 0
    assert {row["check"]: row["status"] for row in answer.json}["agents"] == "warning"
