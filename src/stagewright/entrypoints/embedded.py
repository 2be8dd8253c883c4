"""Workflows that run inside the process that asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import anyio

from stagewright.domain import builder
from stagewright.domain.builder import HasContract
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import connection_of
from stagewright.entrypoints.failure import failure_of
from stagewright.entrypoints.hosting import orchestrating, owning, runner_of, running
from stagewright.entrypoints.settings import load_settings
from stagewright.ports.views import WorkflowView

_GRACE_S = 1.0
"""Whoever asked has gone: agents that still run get a moment, not the grace of a server."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a workflow that completed."""

    workflow_id: str
    status: str
    output: Any
    view: WorkflowView
    """All there is to know: stages with their outcomes and durations, outputs, labels."""


class Workflow(builder.Workflow):
    """A workflow: its stages in order, each an agent, `stage`, `parallel`, `approval` or `wait`.

    `Workflow.input` refers to its input, as in `Workflow.input.title`.
    """

    async def run(
        self,
        input: Any = None,  # noqa: A002 - its name in the definition
        *,
        agents: Iterable[HasContract] | None = None,
        url: str = "memory://",
        key: str | None = None,
        timeout_s: float | None = None,
    ) -> Result:
        """Run to the end in this process, with an orchestrator and the workflow's own agents.

        `agents` are served instead of those its stages were given. With a `url` that lasts and a
        `key`, running again goes on where it was. Raise WorkflowFailed when it ends otherwise than
        by completing, TimedOut after `timeout_s`.
        """
        async with self.embedded(agents=agents, url=url) as client:
            started = await client.start(f"{self.name}@{self.version}", input, key=key)
            ended = await client.wait(started.workflow_id, timeout_s=timeout_s)
        return _result(ended)

    @asynccontextmanager
    async def embedded(
        self, *, agents: Iterable[HasContract] | None = None, url: str = "memory://"
    ) -> AsyncIterator[Stagewright]:
        """A client, as long as this process runs an orchestrator and the workflow's agents.

        The workflow is registered; start it with `client.start(NAME)`, watch it with
        `client.follow(workflow_id)`. Arguments as for `run`.
        """
        async with _embedded(url, self.agents if agents is None else tuple(agents)) as client:
            contracts = [agent.contract.model_dump() for agent in self._known(agents)]
            await client.register(self.data(), contracts=contracts)
            yield client

    def _known(self, agents: Iterable[HasContract] | None) -> tuple[HasContract, ...]:
        given = {agent.contract.name: agent for agent in self.agents}
        given.update({agent.contract.name: agent for agent in agents or ()})
        return tuple(given.values())

    def run_sync(self, input: Any = None, **options: Any) -> Result:  # noqa: A002 - as in `run`
        """Run to the end from code that is not asynchronous; arguments as for `run`."""
        return anyio.run(lambda: self.run(input, **options))


@asynccontextmanager
async def _embedded(url: str, agents: tuple[HasContract, ...]) -> AsyncIterator[Stagewright]:
    async with AsyncExitStack() as stack:
        container = await stack.enter_async_context(owning(load_settings({"url": url}).settings))
        await stack.enter_async_context(orchestrating(container))
        if agents:
            runner = runner_of(container, agents, grace_s=_GRACE_S)
            await stack.enter_async_context(running(runner))
        connection = connection_of(container.control())
        yield Stagewright.over(lambda: nullcontext(connection))


def _result(view: WorkflowView) -> Result:
    if view.status != "completed":
        raise failure_of(view)
    return Result(view.workflow_id, view.status, view.output, view)
