"""What a killed attempt leaves behind is cleared by the next one, which does the work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from examples.delivery import services
from examples.delivery.e2e import try_out
from examples.delivery.results import ScaffoldTask
from examples.delivery.scaffolding import scaffold
from examples.delivery.validation import validate
from tests.acceptance.delivery.driver import Built, Delivery, RecordingContext, shipped

ROOT = Path(__file__).parents[3]


@contextmanager
def killed_in_the_middle(delivery: Delivery, stage: str, task: BaseModel) -> Iterator[Path]:
    """Run an agent elsewhere and kill it while it works; its folder is what it left."""
    module = "tests.acceptance.delivery.held_agent"
    command = [sys.executable, "-m", module, stage, delivery.workflow_id, task.model_dump_json()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("held before")
        process.kill()
    attempts = Path(delivery.place.home) / "attempts" / delivery.workflow_id[-10:]
    yield attempts / f"{stage}-1-1"
    assert not attempts.exists()


def second_attempt(delivery: Delivery, stage: str) -> RecordingContext:
    return RecordingContext(delivery.workflow_id, stage, attempt=2)


async def test_scaffolding_clears_a_half_written_service_and_writes_it(home: Path) -> None:
    delivery = Delivery(shipped("hello-world"))
    workspace = await delivery.initialize()
    task = ScaffoldTask(request=delivery.request, workspace=workspace)
    context = second_attempt(delivery, "scaffolding")
    with killed_in_the_middle(delivery, "scaffolding", task) as left:
        assert (left / "code" / "hello_world" / "app.py").exists()
        built = await scaffold(task, context)
    assert context.logged[0] == "cleared what scaffolding-1-1 left"
    assert "hello_world/app.py" in built.files
    assert list((home / "repositories" / "hello-world.git" / "worktrees").glob("*")) == []


async def test_validation_clears_what_a_killed_one_left(todo: Built) -> None:
    delivery, task = todo.delivery, todo.delivery.task(todo.commit)
    context = second_attempt(delivery, "validation")
    with killed_in_the_middle(delivery, "validation", task) as left:
        assert (left / "code").exists()
        assert (await validate(task, context)).verdict == "ok"
    assert context.logged[0] == "cleared what validation-1-1 left"


async def test_e2e_clears_the_service_of_a_killed_one(todo: Built) -> None:
    delivery, task = todo.delivery, todo.delivery.task(todo.commit)
    context = second_attempt(delivery, "e2e")
    with killed_in_the_middle(delivery, "e2e", task) as left:
        record = services.read_record(left / "service")
        assert record is not None
        assert (await try_out(task, context)).verdict == "ok"
        assert not record.process.alive
    assert context.logged[0] == "cleared what e2e-1-1 left"
