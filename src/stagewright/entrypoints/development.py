"""What `dev` does between start and stop: load, register, serve, and again after each edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import structlog
from anyio.abc import TaskGroup

from stagewright.application.loading import Loaded, load
from stagewright.application.runner import AgentRunner
from stagewright.domain.errors import StagewrightError
from stagewright.entrypoints.container import Container
from stagewright.entrypoints.hosting import registrations, runner_of
from stagewright.ports.views import DefinitionView

log = structlog.get_logger(__name__)

SUFFIXES = frozenset({".py", ".yaml", ".yml"})


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
    current: Generation | None = None
    _runner: AgentRunner | None = None
    _watched: frozenset[Path] = field(default_factory=frozenset)

    async def reload(self) -> Generation:
        """Load and register; then let new code take new tasks while old tasks get their grace time.

        When anything fails, the last good load goes on, and the error says why.
        """
        loaded = await anyio.to_thread.run_sync(load, self.targets)
        register = self.container.control().commands.register
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
        edits: AsyncIterator[object],
        loaded: Callable[[Generation], None],
        failed: Callable[[StagewrightError], None],
    ) -> None:
        """Reload after each edit and tell what came of it."""
        async for _ in edits:
            try:
                generation = await self.reload()
            except StagewrightError as error:
                failed(error)
            else:
                loaded(generation)


async def edits_of(targets: Sequence[str], files: frozenset[Path]) -> AsyncIterator[object]:
    """Yield whenever a Python or YAML file changes in the folders of the targets or files."""
    from watchfiles import Change, awatch

    def counts(change: Change, path: str) -> bool:
        del change
        return Path(path).suffix in SUFFIXES

    async for changes in awatch(*_folders(targets, files), watch_filter=counts, recursive=False):
        yield changes


def _folders(targets: Sequence[str], files: frozenset[Path]) -> list[Path]:
    named = [path if path.is_dir() else path.parent for path in map(Path, targets) if path.exists()]
    return sorted({path.resolve() for path in (*named, *(file.parent for file in files))})
