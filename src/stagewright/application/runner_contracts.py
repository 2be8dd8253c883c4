"""Registers what a runner's agents promise, before any task is claimed."""

from __future__ import annotations

from collections.abc import Iterable

from stagewright.domain.contracts import Contract
from stagewright.domain.errors import Conflict
from stagewright.ports.registry import Entry, IRegistry
from stagewright.ports.system import IClock


async def register_contracts(
    registry: IRegistry, clock: IClock, contracts: Iterable[Contract], *, development: bool
) -> None:
    """Store each contract; Conflict when a version is known with other types or outcomes.

    In development such a contract is stored as `VERSION+dev.HASH` instead.
    """
    for contract in contracts:
        entry = await _put(registry, clock, contract, contract.version)
        if entry.hash == contract.hash:
            continue
        if not development:
            raise Conflict(
                f"agent {contract.name} {contract.version} is registered with other types",
                remedy="Bump the agent's version: a minor one when old tasks still fit.",
            )
        await _put(registry, clock, contract, f"{contract.version}+dev.{contract.hash[:8]}")


async def _put(registry: IRegistry, clock: IClock, contract: Contract, version: str) -> Entry:
    body = contract.model_dump_json().encode()
    return await registry.put_if_absent(
        "contract", contract.name, version, contract.hash, body, clock.now_ms()
    )
