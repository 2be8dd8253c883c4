"""Durable multi-agent workflows: pure decisions, atomic steps, checked contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stagewright.application.agents import AgentError as AgentError
    from stagewright.application.agents import Fatal as Fatal
    from stagewright.application.agents import agent as agent
    from stagewright.application.agents import outcome as outcome
    from stagewright.application.context import AgentContext as AgentContext
    from stagewright.application.context import SyncAgentContext as SyncAgentContext
    from stagewright.domain.builder import approval as approval
    from stagewright.domain.builder import parallel as parallel
    from stagewright.domain.builder import rule as rule
    from stagewright.domain.builder import stage as stage
    from stagewright.domain.builder import wait as wait
    from stagewright.domain.definition import Retry as Retry
    from stagewright.domain.errors import StagewrightError as StagewrightError
    from stagewright.domain.errors import WorkflowFailed as WorkflowFailed
    from stagewright.entrypoints.client.stagewright import Stagewright as Stagewright
    from stagewright.entrypoints.embedded import Result as Result
    from stagewright.entrypoints.embedded import Workflow as Workflow

__version__ = "0.1.0"


def _agents() -> Any:
    from stagewright.application import agents

    return agents


def _context() -> Any:
    from stagewright.application import context

    return context


def _builder() -> Any:
    from stagewright.domain import builder

    return builder


def _errors() -> Any:
    from stagewright.domain import errors

    return errors


def _client() -> Any:
    from stagewright.entrypoints.client import stagewright

    return stagewright


def _embedded() -> Any:
    from stagewright.entrypoints import embedded

    return embedded


_HOMES: dict[str, Callable[[], Any]] = {
    "AgentContext": _context,
    "AgentError": _agents,
    "Fatal": _agents,
    "Result": _embedded,
    "Retry": _builder,
    "Stagewright": _client,
    "StagewrightError": _errors,
    "SyncAgentContext": _context,
    "Workflow": _embedded,
    "WorkflowFailed": _errors,
    "agent": _agents,
    "approval": _builder,
    "outcome": _agents,
    "parallel": _builder,
    "rule": _builder,
    "stage": _builder,
    "wait": _builder,
}
"""What holds each public name: imported when it is first asked for, and `--help` asks for none."""

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names above, all of them strings


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stagewright' has no attribute {name!r}")
    value = getattr(_HOMES[name](), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
