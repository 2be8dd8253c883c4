"""What a written test is."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One test function. `covers` are the `module:function` it is written for, if any."""

    name: str
    lines: tuple[str, ...]
    covers: frozenset[str] = frozenset()
    parameters: tuple[tuple[str, str], ...] = ()
    arguments: str = "client: Client"

    def wanted(self, uncovered: AbstractSet[str]) -> bool:
        """Tell whether this is among the first tests, or exercises what is not covered."""
        return not self.covers or bool(self.covers & uncovered)


@dataclass(frozen=True)
class Module:
    """One file of tests. `imports` are pairs of name and module of the service's package."""

    path: str
    title: str
    cases: tuple[Case, ...]
    imports: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, str], ...] = ()


def case(
    name: str, *lines: str, covers: Sequence[str] = (), arguments: str = "client: Client"
) -> Case:
    """A case without parameters; `lines` are its body."""
    return Case(name, lines, frozenset(covers), arguments=arguments)
