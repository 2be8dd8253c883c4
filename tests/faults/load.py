"""The submitter of fault tests: it knows only what was acknowledged to it."""

from __future__ import annotations

import anyio

from stagewright import Stagewright
from stagewright.domain.errors import Conflict, StagewrightError

PATIENCE_S = 90.0
"""How long one start may go on being tried."""


class Submitter:
    """Starts workflows with keys and notes the ids it was promised."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    async def submit(self, numbers: range, pause_s: float) -> None:
        """Start one workflow a number; a start whose answer was lost is sent again by its key."""
        for number in numbers:
            await self._start(number)
            await anyio.sleep(pause_s)

    async def _start(self, number: int) -> None:
        with anyio.fail_after(PATIENCE_S):
            while True:
                try:
                    async with Stagewright(self._url) as client:
                        started = await client.start(
                            "houses", {"number": number, "done": []}, key=f"house-{number}"
                        )
                except Conflict:
                    raise
                except StagewrightError as error:
                    self.refused.append(str(error))
                    await anyio.sleep(0.2)
                else:
                    self.acknowledged.append(started.workflow_id)
                    return

    async def completed(self) -> int:
        """How many workflows have completed, as far as anybody answers."""
        try:
            async with Stagewright(self._url) as client:
                return (await client.system()).counts.get("completed", 0)
        except StagewrightError:
            return -1
