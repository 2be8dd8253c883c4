"""Catalogs of simulated processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stagewright.application.catalog import Catalog, Checker, Compiled
from stagewright.domain.definition import Definition
from stagewright.domain.workflow import Problem
from stagewright.testing.faults import Crash
from stagewright.testing.simulation.cast import POISON
from stagewright.testing.simulation.processes import Life

MOST = 2_000
_compiled: dict[str, Compiled] = {}


class SharedCatalog(Catalog):
    """Asks the registry as ever, but compiles each definition once for all processes of all runs.

    What is compiled depends on its definition alone, so sharing it changes nothing but the time.
    """

    def __init__(self, life: Life, fact: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(life.backend.registry, life.clock)
        self._life, self._fact = life, fact

    async def _compile(self, definition: Definition) -> Compiled:
        hash_ = definition.content_hash
        if hash_ not in _compiled:
            if len(_compiled) >= MOST:
                _compiled.clear()
            _compiled[hash_] = await super()._compile(definition)
        return _compiled[hash_]


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
