"""Definitions by content hash, compiled once and kept with the validators of their contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.domain.checks import check
from stagewright.domain.contracts import Contract, version_key
from stagewright.domain.definition import AgentStage, ContractRef, Definition
from stagewright.domain.errors import Conflict, DefinitionError, NotFound
from stagewright.domain.plan import Plan
from stagewright.domain.schemas import compile_schema
from stagewright.domain.workflow import Problem
from stagewright.ports.registry import Entry, IRegistry
from stagewright.ports.system import IClock

VIOLATIONS_LIMIT = 20


NEWEST_FOR_S = 1.0
"""How long a name keeps its newest version without asking: starts come by the thousand."""


class Checker:
    """A compiled JSON Schema."""

    def __init__(self, schema: Mapping[str, Any], *, mask: str | None = None) -> None:
        self._validator = compile_schema(dict(schema), mask=mask)

    def problems(self, value: Any) -> tuple[Problem, ...]:
        """Return how `value` breaks the schema, the first 20 ways; empty when it fits."""
        if self._validator.is_valid(value):
            return ()
        found = []
        for error, _ in zip(
            self._validator.iter_errors(value), range(VIOLATIONS_LIMIT), strict=False
        ):
            path = "/".join(map(str, error.instance_path))
            found.append({"type": "contract_violation", "path": path, "message": error.message})
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A definition ready to run."""

    plan: Plan
    outputs: Mapping[str, Checker]
    """By stage: what its agent's contract says of outputs; absent where contracts are unchecked."""
    input: Checker | None


class Catalog:
    """Finds, registers and compiles definitions; bodies are immutable, so they are kept."""

    def __init__(self, registry: IRegistry, clock: IClock) -> None:
        self._registry = registry
        self._clock = clock
        self._compiled: dict[str, Compiled] = {}
        self._checkers: dict[str, Checker] = {}
        self._resolved: dict[str, tuple[str, float]] = {}
        """By reference: a hash, and until when it is believed to be the newest."""

    def known(self, hash_: str) -> Compiled | None:
        """Return a definition compiled before."""
        return self._compiled.get(hash_)

    async def compiled(self, hash_: str) -> Compiled:
        """Return a definition by content hash; NotFound when it was never registered here."""
        found = self._compiled.get(hash_)
        if found is None:
            body = await self._registry.get("definition", hash_)
            if body is None:
                raise NotFound("definition", hash_)
            found = await self._compile(Definition.model_validate(orjson.loads(body)))
            self._compiled[hash_] = found
        return found

    async def _compile(self, definition: Definition) -> Compiled:
        plan = Plan(definition)
        outputs = {}
        for name, stage_plan in plan.stages.items():
            if isinstance(stage_plan.stage, AgentStage):
                contract = definition.contracts.get(stage_plan.stage.agent.partition("@")[0])
                if contract is not None:
                    outputs[name] = await self._checker(contract)
        schema = None if definition.input is None else Checker(definition.input)
        return Compiled(plan, outputs, schema)

    async def _checker(self, contract: ContractRef) -> Checker:
        if contract.hash not in self._checkers:
            body = await self._registry.get("contract", contract.hash)
            if body is None:
                raise NotFound("contract", f"{contract.agent} {contract.version}")
            # What an agent answered stands in no log and no reason, only where and how it is wrong.
            schema = Contract.model_validate_json(body).output
            self._checkers[contract.hash] = Checker(schema, mask="value")
        return self._checkers[contract.hash]

    async def resolve(self, reference: str) -> str:
        """Return the hash of `NAME` (its newest version), `NAME@VERSION` or a hash; NotFound.

        What another process registered or retired is noticed within a second.
        """
        now_s = self._clock.monotonic_s()
        known = self._resolved.get(reference)
        if known is None or known[1] <= now_s:
            known = (await self._find(reference), now_s + NEWEST_FOR_S)
            self._resolved[reference] = known
        return known[0]

    async def _find(self, reference: str) -> str:
        name, _, version = reference.partition("@")
        entries = [e for e in await self._registry.list("definition") if not e.retired]
        for entry in entries:
            if reference == entry.hash or (entry.name, entry.version) == (name, version):
                return entry.hash
        named = [entry for entry in entries if entry.name == name]
        if not version and named:
            newest = max(named, key=lambda e: (version_key(e.version), e.registered_at_ms))
            return newest.hash
        raise NotFound(
            "definition",
            reference,
            known={entry.name for entry in entries},
            remedy="Register it with `stagewright definition register`, or run `stagewright dev`.",
        )

    async def register(
        self, definition: Definition, contracts: Sequence[Contract], *, development: bool = False
    ) -> Entry:
        """Check a definition, embed its contracts and store it; DefinitionError or Conflict.

        The same version with other content is a conflict; in development it is stored as
        `VERSION+dev.HASH` instead.
        """
        by_name = {contract.name: contract for contract in contracts}
        problems = check(definition, by_name or None)
        if problems:
            raise DefinitionError(definition.name, problems)
        for contract in contracts:
            await self.register_contract(contract)
        definition = _embed(definition, by_name)
        entry = await self._put(definition)
        if development:
            definition, entry = await self._edited(definition, entry)
        if entry.hash != definition.content_hash:
            raise Conflict(
                f"{definition.name}@{definition.version} is registered with other content",
                remedy="Raise the version.",
            )
        return entry

    async def _edited(self, definition: Definition, entry: Entry) -> tuple[Definition, Entry]:
        """Store other content as an edit of its version; earlier edits make way for this one."""
        edits = f"{definition.version}+dev."
        if entry.hash != definition.content_hash:
            version = f"{edits}{definition.content_hash[:8]}"
            definition = definition.model_copy(update={"version": version})
            entry = await self._put(definition)
        for other in await self._registry.list("definition"):
            is_edit = other.name == entry.name and other.version.startswith(edits)
            if is_edit and other.version != entry.version and not other.retired:
                await self._registry.retire("definition", other.name, other.version)
        return definition, entry

    async def _put(self, definition: Definition) -> Entry:
        self._resolved.clear()
        return await self._registry.put_if_absent(
            "definition",
            definition.name,
            definition.version,
            definition.content_hash,
            definition.canonical(),
            self._clock.now_ms(),
        )

    async def register_contract(self, contract: Contract) -> None:
        """Store a contract; Conflict when this version is known with another content."""
        body = contract.model_dump_json().encode()
        entry = await self._registry.put_if_absent(
            "contract", contract.name, contract.version, contract.hash, body, self._clock.now_ms()
        )
        if entry.hash != contract.hash:
            raise Conflict(
                f"contract {contract.name} {contract.version} is registered with other content",
                remedy="Raise the agent's version.",
            )


def _embed(definition: Definition, contracts: Mapping[str, Contract]) -> Definition:
    """Name for each agent the contract that its stages were checked against."""
    refs = dict(definition.contracts)
    for stage in definition.every_stage():
        if not isinstance(stage, AgentStage):
            continue
        name = stage.agent.partition("@")[0]
        if name in contracts:
            refs[name] = contracts[name].ref
    return definition.model_copy(update={"contracts": refs})
