"""Contracts that agents have registered, for definitions that come without them."""

from __future__ import annotations

from collections.abc import Collection

import orjson

from stagewright.domain.contracts import Contract, satisfies, version_key
from stagewright.domain.definition import AgentStage, Definition
from stagewright.ports.registry import Entry, IRegistry


async def registered_contracts(
    registry: IRegistry, definition: Definition, named: Collection[str]
) -> list[Contract]:
    """Return the newest fitting contract of each agent that is not named; none where none fits."""
    entries = [entry for entry in await registry.list("contract") if not entry.retired]
    wanted = {
        stage.agent.partition("@")[0]: stage.agent
        for stage in definition.every_stage()
        if isinstance(stage, AgentStage)
    }
    found = []
    for name, requirement in sorted(wanted.items()):
        fitting = [e for e in entries if e.name == name and satisfies(requirement, e.version)]
        if name in named or not fitting:
            continue
        newest = max(fitting, key=lambda e: (version_key(e.version), e.registered_at_ms))
        body = await registry.get("contract", newest.hash)
        if body is not None:
            found.append(Contract.model_validate_json(body))
    return found


async def same_but_for_contracts(registry: IRegistry, definition: Definition) -> Entry | None:
    """Return the entry of a definition that was registered before, whatever it was checked against.

    What agents register later makes no other definition of it.
    """
    for entry in await registry.list("definition"):
        if (entry.name, entry.version) != (definition.name, definition.version) or entry.retired:
            continue
        body = await registry.get("definition", entry.hash)
        known = None if body is None else Definition.model_validate(orjson.loads(body))
        if known is not None and _bare(known) == _bare(definition):
            return entry
    return None


def _bare(definition: Definition) -> bytes:
    return definition.model_copy(update={"contracts": {}}).canonical()
