"""Agents for tests: functions, or plain values, that stand in for the ones of a workflow."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from stagewright.application.agents import Agent, agent
from stagewright.application.context import AgentContext
from stagewright.domain.builder import Workflow
from stagewright.domain.definition import AgentStage, Definition
from stagewright.domain.errors import ConfigurationError, listing


def agents_for(
    workflow: Workflow, definition: Definition, doubles: Mapping[str, Any]
) -> list[Agent[..., Any]]:
    """Return an agent for each that the definition asks for; ConfigurationError when one lacks.

    A double is an agent, a function of the task (and the context), asynchronous or not, or the
    value to answer with. It keeps the contract of the agent it stands in for.
    """
    given = {one.contract.name: one for one in workflow.agents if isinstance(one, Agent)}
    asked = {
        name: level
        for stage in definition.every_stage()
        if isinstance(stage, AgentStage)
        for name, _, level in [stage.agent.partition("@^")]
    }
    if unknown := doubles.keys() - asked.keys():
        raise ConfigurationError(
            f"agents of workflow {workflow.name}",
            f"{listing(unknown)} is asked for by no stage.",
            remedy=f"Its agents are {listing(asked)}.",
        )
    return [_one(name, asked[name], given.get(name), doubles) for name in sorted(asked)]


def _one(
    name: str, level: str, real: Agent[..., Any] | None, doubles: Mapping[str, Any]
) -> Agent[..., Any]:
    double = doubles.get(name, real)
    if double is None:
        raise ConfigurationError(
            f"agent {name}",
            "nobody does its work.",
            remedy=f"Give a function: agents={{{name!r}: lambda task: ...}}.",
        )
    if isinstance(double, Agent):
        return _awaitable(double)
    function = double if callable(double) else _answering(double)
    if real is not None:
        shapes = (real.takes, real.gives)
        takes = len(inspect.signature(function).parameters) > 1
        return _awaitable(Agent(function, real.contract, shapes, takes_context=takes))
    return _awaitable(agent(name, version=_version(level))(function))


def _version(level: str) -> str:
    major, _, minor = level.partition(".")
    return f"{major}.{minor or 0}.0"


def _answering(value: Any) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        return value

    return answer


def _awaitable(one: Agent[..., Any]) -> Agent[..., Any]:
    """The same agent on the event loop, because virtual time knows nothing of other threads.

    What takes a context may use it from a thread; what takes none is called at once.
    """
    if one.is_async:
        return one

    async def called(given: Any, ctx: AgentContext) -> Any:
        if one.takes_context:
            return await asyncio.to_thread(one.function, given, ctx.sync)
        return one.function(given)

    return Agent(called, one.contract, (one.takes, one.gives), takes_context=True)
