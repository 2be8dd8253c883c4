"""Finding workflows and agents: in modules, in files, in folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from stagewright.application.python_modules import Importable, import_all
from stagewright.application.targets import Document, sort_out, title_of
from stagewright.application.yaml_definitions import (
    compose,
    load_definition,
    located,
)
from stagewright.domain.builder import HasContract, Workflow, has_contract
from stagewright.domain.checks import check
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Definition
from stagewright.domain.errors import DefinitionError, LoadError, Problem, listing
from stagewright.domain.parsing import parse_definition


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found. Definitions are checked, against the contracts of all agents found."""

    definitions: tuple[Definition, ...]
    agents: tuple[HasContract, ...]
    sources: Mapping[str, str]
    """Where each one stands: `workflow NAME@VERSION` or `agent NAME` to module or file."""
    files: frozenset[Path]
    """The files to watch for changes."""

    @property
    def contracts(self) -> dict[str, Contract]:
        """The contracts of the agents by agent name."""
        return {agent.contract.name: agent.contract for agent in self.agents}


@dataclass(frozen=True, slots=True)
class _Found:
    """One workflow or agent, before duplicates are looked for."""

    title: str
    source: str
    value: object
    text: str = ""
    """The YAML it was read from."""


def load(
    targets: Sequence[str],
    *,
    folder: Path | None = None,
    contracts: Mapping[str, Contract] | None = None,
) -> Loaded:
    """Collect module-level workflows and agents from modules, files and folders.

    `folder` is where relative targets start (the working directory). `contracts` are known beside
    those of the agents found. Loading again gives what stands in the files now; when that fails,
    the modules of the last load stay. Raises LoadError and DefinitionError.
    """
    base = (folder or Path.cwd()).resolve()
    modules, documents = sort_out(targets, base)
    imported = import_all(modules, base)
    found = _unique([*_from_modules(imported.modules, base), *_from_yaml(documents, base)])
    if not found:
        raise _nothing(targets, modules, documents, base)
    return _loaded(found, contracts or {}, imported.files.union(path for path, _ in documents))


def _from_modules(modules: Iterable[ModuleType], base: Path) -> Iterator[_Found]:
    for module in modules:
        source = title_of(Path(module.__file__), base) if module.__file__ else module.__name__
        for value in vars(module).values():
            if isinstance(value, Workflow):
                yield _Found(_workflow_title(value), source, value)
                yield from (_agent(agent, source) for agent in value.agents)
            elif _is_agent(value):
                yield _agent(value, source)


def _is_agent(value: object) -> TypeGuard[HasContract]:
    """Looking at an attribute may fail: a module may hold objects of any kind."""
    try:
        return has_contract(value) and not isinstance(value, type)
    except Exception:  # noqa: BLE001 - whatever a foreign object raises, it is no agent
        return False


def _agent(agent: HasContract, source: str) -> _Found:
    return _Found(f"agent {agent.contract.name}", source, agent)


def _workflow_title(workflow: Workflow) -> str:
    return f"workflow {workflow.name}@{workflow.version}"


def _from_yaml(documents: Iterable[Document], base: Path) -> Iterator[_Found]:
    for path, text in documents:
        source = title_of(path, base)
        try:
            definition = load_definition(text, source)
        except DefinitionError as error:
            yield _Found(f"workflow {error.name}", source, error)
        else:
            title = f"workflow {definition.name}@{definition.version}"
            yield _Found(title, source, definition, text)


def _unique(found: Sequence[_Found]) -> list[_Found]:
    """Each object once, though several modules show it; raises LoadError for namesakes."""
    unique = list({id(one.value): one for one in reversed(found)}.values())[::-1]
    counts = Counter(one.title for one in unique)
    twice = sorted(title for title, count in counts.items() if count > 1)
    if twice:
        places = [f"{one.title} in {one.source}" for one in unique if one.title in twice]
        message = f"found more than once: {listing(places)}."
        raise LoadError(twice[0], message, remedy="Rename one, or load fewer targets.")
    return unique


def _nothing(
    targets: Sequence[str],
    modules: Iterable[Importable],
    documents: Iterable[Document],
    base: Path,
) -> LoadError:
    looked = [
        *(title_of(one.file, base) if one.file else one.name for one in modules),
        *(title_of(path, base) for path, _ in documents),
    ]
    message = f"no workflow and no agent found; looked at: {listing(looked)}."
    remedy = "Define a Workflow or an @agent function at module level, or a .yaml with `stages:`."
    return LoadError(", ".join(targets) or "no target", message, remedy=remedy)


def _loaded(
    found: Sequence[_Found], contracts: Mapping[str, Contract], files: frozenset[Path]
) -> Loaded:
    agents = tuple(one.value for one in found if _is_agent(one.value))
    known = {**contracts, **{agent.contract.name: agent.contract for agent in agents}}
    sources = {one.title: one.source for one in found}
    return Loaded(_definitions(found, known), agents, sources, files)


def _definitions(
    found: Iterable[_Found], contracts: Mapping[str, Contract]
) -> tuple[Definition, ...]:
    """All definitions; raises one DefinitionError for the problems of all of them."""
    good: list[Definition] = []
    bad: list[DefinitionError] = []
    for one in found:
        try:
            good += _definition(one, contracts)
        except DefinitionError as error:
            bad.append(error)
    if bad:
        names = ", ".join(error.name for error in bad)
        raise DefinitionError(names, [problem for error in bad for problem in error.found])
    return tuple(good)


def _definition(found: _Found, contracts: Mapping[str, Contract]) -> Iterator[Definition]:
    """The sound definition that was found; nothing for an agent; raises DefinitionError."""
    value = found.value
    if isinstance(value, DefinitionError):
        raise value
    if isinstance(value, Workflow):
        value = _spelled_out(value, found)
    if isinstance(value, Definition):
        problems = check(value, contracts)
        if problems:
            raise DefinitionError(value.name, [_placed(one, found) for one in problems])
        yield value


def _spelled_out(workflow: Workflow, found: _Found) -> Definition:
    try:
        return parse_definition(workflow.data())
    except DefinitionError as error:
        raise DefinitionError(error.name, [_placed(one, found) for one in error.found]) from error


def _placed(problem: Problem, found: _Found) -> Problem:
    """With the file, and the line where there is one."""
    return located(problem, compose(found.text, found.source) if found.text else None, found.source)
