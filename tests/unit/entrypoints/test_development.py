from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import pytest

from stagewright.domain.errors import LoadError, StagewrightError
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import connection_of
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.development import Development, Generation
from stagewright.entrypoints.edits import Edits
from stagewright.entrypoints.hosting import orchestrating
from stagewright.entrypoints.settings import Settings
from stagewright.ports.views import WorkflowView

PROJECT = """
from stagewright.application.agents import agent
from stagewright.domain.builder import Workflow, stage, wait

@agent("greet")
async def greet(name: str) -> str:
    return f"Hello, {name}!"

hello = Workflow("hello", wait("go", signal="go"), stage(greet, with_=Workflow.input))
"""


class Bench:
    """A project under development."""

    def __init__(self, container: Container, development: Development, file: Path) -> None:
        self.development, self.file = development, file
        connection = connection_of(container.control())
        self.client = Stagewright.over(lambda: nullcontext(connection))

    async def start(self) -> str:
        return (await self.client.start("hello", "Ada")).workflow_id

    async def finished(self, workflow_id: str) -> WorkflowView:
        await self.client.signal(workflow_id, "go")
        return await self.client.wait(workflow_id, timeout_s=30)


@asynccontextmanager
async def developing(folder: Path) -> AsyncIterator[Bench]:
    file = folder / "project.py"
    file.write_text(PROJECT)
    async with (
        opened(Settings(url="memory://")) as container,
        orchestrating(container),
        anyio.create_task_group() as tasks,
    ):
        development = Development(container, [str(file)], tasks, Edits([str(file)]))
        await development.reload()
        yield Bench(container, development, file)
        development.stop()


async def test_what_was_loaded_is_registered_and_served(tmp_path: Path) -> None:
    async with developing(tmp_path) as bench:
        assert bench.development.current is not None
        assert [one.version for one in bench.development.current.definitions] == ["1.0.0"]
        assert (await bench.finished(await bench.start())).output == "Hello, Ada!"


async def test_a_running_workflow_keeps_its_definition_and_goes_on_in_new_code(
    tmp_path: Path,
) -> None:
    async with developing(tmp_path) as bench:
        workflow_id = await bench.start()
        edited = PROJECT.replace("Hello", "Hi").replace('"hello",', '"hello", wait("x", for_s=1),')
        bench.file.write_text(edited)
        (view,) = (await bench.development.reload()).definitions
        assert view.version.startswith("1.0.0+dev.")
        ended = await bench.finished(workflow_id)
        assert (ended.version, ended.output) == ("1.0.0", "Hi, Ada!")


async def test_a_broken_edit_keeps_the_last_good_load_and_says_why(tmp_path: Path) -> None:
    async with developing(tmp_path) as bench:
        before = bench.development.current
        bench.file.write_text("hello = = 1")
        with pytest.raises(LoadError, match=r"project\.py, line 1"):
            await bench.development.reload()
        assert bench.development.current is before
        assert (await bench.finished(await bench.start())).output == "Hello, Ada!"


class GivenEdits(Edits):
    """Edits that a test makes."""

    def __init__(self, file: Path, *texts: str) -> None:
        super().__init__([str(file)])
        self.file, self.texts = file, texts

    async def __aiter__(self) -> AsyncIterator[None]:
        for text in self.texts:
            await anyio.Path(self.file).write_text(text)
            yield


async def test_each_edit_is_tried_and_told(tmp_path: Path) -> None:
    good: list[Generation] = []
    bad: list[StagewrightError] = []
    async with developing(tmp_path) as bench:
        bench.development.edits = GivenEdits(bench.file, "nonsense(", PROJECT)
        await bench.development.follow_edits(good.append, bad.append)
    assert [len(good), len(bad)] == [1, 1]
    assert "line 1" in str(bad[0])


async def test_definitions_without_agents_can_be_developed(tmp_path: Path) -> None:
    async with developing(tmp_path) as bench:
        bench.file.write_text(
            "from stagewright.domain.builder import Workflow, wait\n"
            "hello = Workflow('hello', wait('go', signal='go'))\n"
        )
        await bench.development.reload()
        assert (await bench.finished(await bench.start())).status == "completed"
