"""What agents promised, as the desk checks it.

Inputs are checked before a task is given away, and outputs before a result is applied: what a
runner of ours does for its agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.application.catalog import Checker
from stagewright.application.runner_contracts import register_contracts
from stagewright.domain.contracts import Contract, version_key
from stagewright.domain.workflow import Problem
from stagewright.ports.agent_desk import ContractView
from stagewright.ports.registry import Entry, IRegistry
from stagewright.ports.system import IClock

KEPT = 1_000
NEWEST_FOR_S = 1.0
_ALWAYS = frozenset({"ok", "approved", "rejected"})


@dataclass(frozen=True, slots=True)
class Promise:
    """A contract, ready to check with."""

    contract: Contract
    takes: Checker
    gives: Checker

    def input_problems(self, value: Any) -> list[Problem]:
        """Return how an input breaks the contract."""
        found = self.takes.problems(value)
        return [{**problem, "type": "input_invalid"} for problem in found]

    def output_problems(self, value: Any, outcome: str | None) -> list[Problem]:
        """Return how an output, or the label that it ends with, breaks the contract."""
        labels = _ALWAYS | set(self.contract.outcomes)
        if outcome is not None and outcome not in labels:
            known = ", ".join(sorted(labels))
            message = f"the label {outcome!r} is not declared; expected one of {known}"
            return [{"type": "contract_violation", "path": "outcome", "message": message}]
        return list(self.gives.problems(value))


class Promises:
    """Contracts by what a definition names, or by what agents of a lane have registered."""

    def __init__(self, registry: IRegistry, clock: IClock) -> None:
        self._registry, self._clock = registry, clock
        self._kept: dict[str, Promise] = {}
        self._entries: Sequence[Entry] = ()
        self._until_s = float("-inf")

    async def of(self, named: str | None, lane: str) -> Promise | None:
        """Return what a stage's agent promised, by the contract's hash; None where nobody did.

        A definition that was registered without contracts takes the newest one of the lane.
        """
        hash_ = named or await self._newest(lane)
        if hash_ is None:
            return None
        if hash_ not in self._kept:
            body = await self._registry.get("contract", hash_)
            if body is None:
                return None
            contract = Contract.model_validate_json(body)
            # Values stand in no answer and no log, only where and how they are wrong.
            takes, gives = (Checker(s, mask="value") for s in (contract.input, contract.output))
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[hash_] = Promise(contract, takes, gives)
        return self._kept[hash_]

    async def _newest(self, lane: str) -> str | None:
        """Return the contract of the newest agent that claims from a lane."""
        if self._clock.monotonic_s() >= self._until_s:
            self._entries = await self._registry.list("contract")
            self._until_s = self._clock.monotonic_s() + NEWEST_FOR_S
        name, _, level = lane.partition("@")
        major, _, minor = level.partition(".")
        fitting = [
            entry
            for entry in self._entries
            if entry.name == name and not entry.retired and _serves(entry, int(major), int(minor))
        ]
        newest = max(
            fitting, key=lambda e: (version_key(e.version), e.registered_at_ms), default=None
        )
        return None if newest is None else newest.hash

    async def register(self, contract: Contract, *, development: bool) -> ContractView:
        """Register a contract; Conflict when its version is known with other types."""
        await register_contracts(self._registry, self._clock, [contract], development=development)
        self._until_s = float("-inf")
        entries = await self._registry.list("contract")
        entry = next(e for e in entries if e.name == contract.name and e.hash == contract.hash)
        return _view(entry, contract)

    async def views(self, name: str | None) -> list[ContractView]:
        """Return what is registered."""
        views = []
        for entry in await self._registry.list("contract"):
            body = None
            if not entry.retired and name in {None, entry.name}:
                body = await self._registry.get("contract", entry.hash)
            if body is not None:
                views.append(_view(entry, Contract.model_validate(orjson.loads(body))))
        return views


def _serves(entry: Entry, major: int, minor: int) -> bool:
    own_major, own_minor = version_key(entry.version)[:2]
    return own_major == major and own_minor >= minor


def _view(entry: Entry, contract: Contract) -> ContractView:
    return ContractView(
        name=entry.name,
        version=entry.version,
        hash=entry.hash,
        registered_at_ms=entry.registered_at_ms,
        description=contract.description,
        input=contract.input,
        output=contract.output,
        outcomes=list(contract.outcomes),
    )
