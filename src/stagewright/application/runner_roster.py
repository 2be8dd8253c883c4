"""Which agents a runner serves, in which lanes, and how busy they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stagewright.application.agents import Agent
from stagewright.application.metrics import Histogram
from stagewright.domain.errors import ConfigurationError
from stagewright.ports.task_queue import Want


class Served:
    """One agent with a limit on how many of its tasks run at once."""

    __slots__ = ("agent", "duration", "labels", "lanes", "limit", "queued", "running", "source")

    def __init__(self, agent: Agent[..., Any], limit: int, holder: str) -> None:
        if limit < 1:
            raise ConfigurationError(
                f"agent {agent.name}", f"limit is {limit}; expected 1 or more."
            )
        self.agent, self.limit = agent, limit
        self.lanes = lanes_of(agent.name, agent.version)
        self.labels = frozenset({"ok", "approved", "rejected", *agent.contract.outcomes})
        self.source = f"agent/{agent.name}@{agent.version}/{holder}"[:256]
        self.running = 0
        self.queued, self.duration = Histogram(), Histogram()

    def to_json(self) -> Mapping[str, Any]:
        """What others may know of it."""
        return {
            "version": self.agent.version,
            "contract": self.agent.contract.hash,
            "lanes": self.lanes,
            "limit": self.limit,
            "running": self.running,
            "queued": self.queued.to_json(),
            "duration": self.duration.to_json(),
        }


class Roster:
    """All agents of a runner; one version of each."""

    def __init__(self, agents: Mapping[Agent[..., Any], int], holder: str) -> None:
        self.served = tuple(Served(agent, limit, holder) for agent, limit in agents.items())
        self.by_lane = {lane: served for served in self.served for lane in served.lanes}
        names = [served.agent.name for served in self.served]
        if len(set(names)) < len(names) or not names:
            found = ", ".join(sorted(names)) or "none"
            raise ConfigurationError(
                "agents",
                f"a runner serves one version each of some agents; found {found}.",
                remedy="Serve another version in a process of its own.",
            )

    def wants(self, most: int) -> tuple[Want, ...]:
        """Return what may be claimed now, `most` tasks an agent."""
        return tuple(
            Want(served.lanes, min(served.limit - served.running, most))
            for served in self.served
            if served.running < served.limit
        )

    def full(self) -> frozenset[Served]:
        """Return the agents without a free place."""
        return frozenset(served for served in self.served if served.running >= served.limit)

    def to_json(self) -> Mapping[str, Any]:
        """What others may know, by agent."""
        return {served.agent.name: served.to_json() for served in self.served}


def lanes_of(name: str, version: str) -> tuple[str, ...]:
    """Return the lanes of every minor up to the version's own, newest first."""
    major, minor, _ = version.split(".", 2)
    return tuple(_lanes(name, major, range(int(minor), -1, -1)))


def _lanes(name: str, major: str, minors: Iterable[int]) -> Iterable[str]:
    return (f"{name}@{major}.{minor}" for minor in minors)
