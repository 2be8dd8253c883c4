"""A process killed in the middle of its work loses nothing it has answered."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from stagewright.adapters.sqlite import open_backend
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.workflow_store import Stored
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import claim, step_id
from tests.adapters.sqlite.processes import WRITERS, line, started

ANSWERS_BEFORE_THE_KILL = 400


@pytest.fixture
def answered(url: str) -> dict[str, int]:
    """The number of the last step that each workflow had answered when the process was killed."""
    process = started("load", url)
    said = [line(process) for _ in range(ANSWERS_BEFORE_THE_KILL)]
    process.kill()
    rest, _ = process.communicate()
    lines = [text.split() for text in (*said, *rest.split("\n")[:-1])]
    return {id_: int(number) for id_, _, number in lines}


async def load(backend: Backend, id_: str) -> Stored:
    (found,) = await backend.store.load([id_])
    assert isinstance(found, Stored)
    return found


async def test_every_answered_step_is_there_whole(
    answered: dict[str, int], url: str, clock: VirtualClock
) -> None:
    assert len(answered) == WRITERS
    async with open_backend(url, BackendOptions(), clock) as backend:
        for id_, number in answered.items():
            found = await load(backend, id_)
            log = await backend.store.log(id_, limit=10_000)
            assert len(log) in {number, number + 1}  # one more may have been on its way
            assert found.step_id == step_id(id_, len(log))
            assert len(found.outputs) == len(log) - 1


async def test_every_workflow_has_one_task_whose_token_is_refused_or_current(
    answered: dict[str, int], url: str, clock: VirtualClock
) -> None:
    async with open_backend(url, BackendOptions(), clock) as backend:
        tokens = [record.token for (record,) in await backend.tasks.inspect(list(answered))]
        lanes = [f"build@1.{number}" for number in range(WRITERS)]
        claimed = await backend.tasks.claim(claim(*lanes), clock.now_ms())
        assert all(task.token > max(tokens) for task in claimed)


@pytest.mark.usefixtures("answered")
async def test_the_file_passes_its_integrity_check(path: Path) -> None:
    db = apsw.Connection(str(path))
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
