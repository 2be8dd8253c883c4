"""Durable multi-agent workflows: pure decisions, atomic steps, checked contracts."""

from __future__ import annotations

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

_HOMES = {
    "AgentContext": "stagewright.application.context",
    "AgentError": "stagewright.application.agents",
    "Fatal": "stagewright.application.agents",
    "Result": "stagewright.entrypoints.embedded",
    "Retry": "stagewright.domain.definition",
    "Stagewright": "stagewright.entrypoints.client.stagewright",
    "StagewrightError": "stagewright.domain.errors",
    "SyncAgentContext": "stagewright.application.context",
    "Workflow": "stagewright.entrypoints.embedded",
    "WorkflowFailed": "stagewright.domain.errors",
    "agent": "stagewright.application.agents",
    "approval": "stagewright.domain.builder",
    "outcome": "stagewright.application.agents",
    "parallel": "stagewright.domain.builder",
    "rule": "stagewright.domain.builder",
    "stage": "stagewright.domain.builder",
    "wait": "stagewright.domain.builder",
}
"""Where each public name lives: imported when first asked for, and `--help` asks for none."""

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names above, all of them strings


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'stagewright' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
