"""What `dev` does between start and stop: load, register, serve, and again after each edit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import structlog
from anyio.abc import TaskGroup

from stagewright.application.loading import Loaded, load
from stagewright.application.runner import AgentRunner
from stagewright.domain.errors import StagewrightError
from stagewright.entrypoints.container import Container
from stagewright.entrypoints.edits import Edits
from stagewright.entrypoints.hosting import commands_of_user, registrations, runner_of
from stagewright.ports.views import DefinitionView

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Generation:
    """One load that worked: what was found, and the versions it was registered under."""

    loaded: Loaded
    definitions: Sequence[DefinitionView]


@dataclass
class Development:
    """Serves what stands in files now. Running workflows keep the definition they began with."""

    container: Container
    targets: Sequence[str]
    tasks: TaskGroup
    edits: Edits
    current: Generation | None = None
    _runner: AgentRunner | None = None

    async def reload(self) -> Generation:
        """Load and register; then let new code take new tasks while old tasks get their grace time.

        When anything fails, the last good load goes on, and the error says why.
        """
        self.edits.note()
        loaded = await anyio.to_thread.run_sync(load, self.targets)
        self.edits.include(loaded.files)
        register = commands_of_user(self.container).register
        requests = registrations(loaded, development=True)
        definitions = [await register(request) for request in requests]
        runner = await self._started(loaded)
        if self._runner is not None:
            self._runner.stop()
        self._runner = runner
        self.current = Generation(loaded, definitions)
        return self.current

    async def _started(self, loaded: Loaded) -> AgentRunner | None:
        if not loaded.agents:
            return None
        runner = runner_of(self.container, loaded.agents, development=True)
        self.tasks.start_soon(runner.run)
        await runner.ready.wait()
        return runner

    def stop(self) -> None:
        """Claim nothing more; the task group ends once what runs has ended."""
        if self._runner is not None:
            self._runner.stop()

    async def follow_edits(
        self,
        loaded: Callable[[Generation], None],
        failed: Callable[[StagewrightError], None],
    ) -> None:
        """Reload after each edit and tell what came of it."""
        async for _ in self.edits:
            try:
                generation = await self.reload()
            except StagewrightError as error:
                failed(error)
            else:
                loaded(generation)
