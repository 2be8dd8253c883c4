"""Catalogs of simulated processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from stagewright.application.catalog import Catalog, Checker, Compiled
from stagewright.domain.definition import Definition
from stagewright.domain.plan import Plan
from stagewright.domain.workflow import Problem
from stagewright.testing.faults import Crash
from stagewright.testing.simulation.cast import CONTRACTS, POISON
from stagewright.testing.simulation.processes import Life

MOST = 2_000
_compiled: dict[str, Compiled] = {}


async def compile_for_all(catalog: Catalog, definitions: Iterable[Definition]) -> dict[str, Plan]:
    """Register and compile definitions, once for all processes of all runs; plans by hash.

    What is compiled depends on its definition alone, so sharing it changes nothing but the time.
    """
    if len(_compiled) >= MOST:
        _compiled.clear()
    plans = {}
    for definition in definitions:
        entry = await catalog.register(definition, list(CONTRACTS.values()))
        if entry.hash not in _compiled:
            _compiled[entry.hash] = await catalog.compiled(entry.hash)
        plans[entry.hash] = _compiled[entry.hash].plan
    return plans


class SharedCatalog(Catalog):
    """Asks the registry for definitions as ever, and finds them compiled."""

    def __init__(self, life: Life, fact: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(life.backend.registry, life.clock)
        self._life, self._fact = life, fact

    async def _compile(self, definition: Definition) -> Compiled:
        return _compiled[definition.content_hash]


class PoisonedCatalog(SharedCatalog):
    """Some outputs kill the process that checks them, every time."""

    async def _compile(self, definition: Definition) -> Compiled:
        found = await super()._compile(definition)
        outputs: dict[str, Any] = {
            stage: _Poisoned(self._life, self._fact, checker)
            for stage, checker in found.outputs.items()
        }
        return replace(found, outputs=outputs)


class _Poisoned:
    def __init__(self, life: Life, fact: Callable[[str], None], checker: Checker) -> None:
        self._life, self._fact, self._checker = life, fact, checker

    def problems(self, value: Any) -> tuple[Problem, ...]:
        if isinstance(value, dict) and value.get("text") == POISON:
            self._life.process.alive = False
            self._fact("a message killed whoever read it")
            raise Crash(POISON)
        return self._checker.problems(value)
