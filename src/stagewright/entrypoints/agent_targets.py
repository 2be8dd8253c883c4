"""Which agents a command line means."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.application.loading import load
from stagewright.domain.builder import HasContract
from stagewright.domain.errors import LoadError, NotFound


def agents_of(targets: Sequence[str]) -> tuple[HasContract, ...]:
    """Return the agents of `MODULE[:NAME]` targets, each once; LoadError, NotFound."""
    chosen: dict[str, HasContract] = {}
    for target in targets:
        place, _, name = target.partition(":")
        agents = {agent.contract.name: agent for agent in load([place]).agents}
        if not agents:
            raise LoadError(place, "it has workflows but no agent.", remedy="Name what has @agent.")
        if name and name not in agents:
            raise NotFound("agent", name, known=agents)
        chosen.update({name: agents[name]} if name else agents)
    return tuple(chosen.values())
