from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagewright.application.agents import Fatal, agent
from stagewright.domain.builder import stage, wait
from stagewright.domain.errors import Conflict, TimedOut, ValidationFailed, WorkflowFailed
from stagewright.entrypoints.embedded import Workflow


@agent("double")
async def double(number: int) -> int:
    return 2 * number


@agent("refuse")
def refuse(number: int) -> int:
    raise Fatal(f"{number} is too much")


async def test_a_workflow_runs_to_its_end_in_this_process() -> None:
    result = await Workflow("doubling", stage("first", double), stage("second", double)).run(21)
    assert (result.status, result.output) == ("completed", 84)
    assert [one.outcome for one in result.view.stages] == ["ok", "ok"]
    assert result.workflow_id == result.view.workflow_id


def test_code_that_is_not_asynchronous_can_run_one_too() -> None:
    assert Workflow("doubling", double).run_sync(2, timeout_s=30).output == 4


async def test_a_failure_says_which_stage_and_why() -> None:
    with pytest.raises(WorkflowFailed, match="refuse") as caught:
        await Workflow("refusing", refuse).run(3)
    assert caught.value.status == "failed"


async def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="integer"):
        await Workflow("doubling", double, input={"type": "integer"}).run("three")


async def test_time_can_run_out() -> None:
    with pytest.raises(TimedOut):
        await Workflow("waiting", wait("forever", signal="never")).run(timeout_s=0.05)


async def test_agents_can_be_given_apart_from_the_stages() -> None:
    result = await Workflow("doubling", stage("first", "double@^1")).run(4, agents=[double])
    assert result.output == 8


async def test_with_a_key_a_finished_workflow_is_found_again(tmp_path: Path) -> None:
    calls: list[int] = []

    @agent("count")
    async def count(number: int) -> int:
        calls.append(number)
        return number

    there: dict[str, Any] = {"url": f"sqlite:///{tmp_path}/state.db", "key": "once"}
    first = await Workflow("counting", count).run(1, **there)
    again = await Workflow("counting", count).run(1, **there)
    assert first.workflow_id == again.workflow_id
    assert calls == [1]


async def test_another_content_under_the_same_version_is_a_conflict(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    await Workflow("doubling", double).run(1, url=url)
    with pytest.raises(Conflict, match="Raise the version"):
        await Workflow("doubling", stage("other", double)).run(1, url=url)
