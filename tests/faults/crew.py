"""Two orchestrators, two agent processes and a submitter over a Redis that comes to harm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio

from stagewright import Stagewright
from stagewright.application.loading import load
from stagewright.domain.errors import Unreachable
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import Evidence, gather, judge, read_journals
from tests.faults.load import Submitter
from tests.processes import Member

PIPELINE = Path(__file__).with_name("pipeline.py")


PATIENCE_S = 60.0

T = TypeVar("T")


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until somebody answers: a new replica needs a moment until it keeps up."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            try:
                return await ask()
            except Unreachable:
                await anyio.sleep(0.2)


class Crew:
    """Everyone who works on one namespace, and the judge of what they did."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self._folder = settings, folder
        env = {
            "JOURNAL_FOLDER": str(folder / "journal"),
            "STAGEWRIGHT_URL": settings.url,
            "STAGEWRIGHT_LEASE_S": "2",
            "PYTHONPATH": str(PIPELINE.parents[2]),
        }
        (folder / "journal").mkdir()
        run = ["agent", "run", str(PIPELINE)]
        self.members = [
            *(Member(f"orchestrator-{n}", ["serve"], env, folder) for n in (1, 2)),
            *(
                Member(f"agents-{way}", run, env | {"STAGEWRIGHT_HAND_IN": way}, folder)
                for way in ("steps", "inbox")
            ),
        ]
        self.submitter = Submitter(settings.url)

    async def start(self) -> None:
        """Create the namespace, register the pipeline and start everyone."""
        await patiently(self._prepare)
        for member in self.members:
            member.start()
        for member in self.members:
            await anyio.to_thread.run_sync(member.wait_ready)

    async def _prepare(self) -> None:
        loaded = load([str(PIPELINE)])
        async with opened(self.settings):
            pass
        async with Stagewright(self.settings.url) as client:
            for definition in loaded.definitions:
                await client.register(
                    definition.model_dump(mode="json", by_alias=True),
                    contracts=[agent.contract.model_dump(mode="json") for agent in loaded.agents],
                )

    async def stop(self) -> None:
        """End everyone."""
        for member in self.members:
            await anyio.to_thread.run_sync(member.stop)

    async def completed(self, workflows: int, limit_s: float) -> None:
        """Wait until so many workflows have completed."""
        with anyio.fail_after(limit_s):
            while await self.submitter.completed() < workflows:  # noqa: ASYNC110  # others count
                await anyio.sleep(0.2)

    async def stored(self) -> set[str]:
        """Return those of the acknowledged workflows that are stored."""

        async def load() -> set[str]:
            async with opened(self.settings) as container:
                found = await container.backend().store.load(self.submitter.acknowledged)
            return {one.workflow_id for one in found if one is not None}

        return await patiently(load)

    async def losses(self) -> list[str]:
        """Return the losses that were reported."""

        async def ask() -> list[str]:
            async with Stagewright(self.settings.url) as client:
                return (await client.system()).losses

        return await patiently(ask)

    async def reported(self, partitions: set[int], limit_s: float) -> bool:
        """Whether losses of all these partitions are reported in time."""
        with anyio.move_on_after(limit_s):
            while True:
                told = {loss.partition(":")[0] for loss in await self.losses()}
                if {f"partition {number}" for number in partitions} <= told:
                    return True
                await anyio.sleep(0.2)
        return False

    async def violations(self) -> list[str]:
        """Let the independent judge look at everything."""
        acknowledged = sorted(set(self.submitter.acknowledged))

        async def read() -> list[Evidence]:
            async with opened(self.settings) as container:
                return await gather(container.backend().store, acknowledged)

        journal = read_journals(self._folder / "journal")
        return judge(acknowledged, await patiently(read), journal)

    def said(self) -> str:
        """Return what all processes wrote."""
        return "\n".join(member.log for member in self.members)
