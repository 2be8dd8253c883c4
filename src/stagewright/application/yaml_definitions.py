"""YAML definitions: safe, free of surprises, and with the line of every complaint.

Scalars follow YAML 1.2 (`on` is a word and `010` is ten), so what is read is always JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from stagewright.domain.definition import Definition
from stagewright.domain.errors import DefinitionError, LoadError, Problem
from stagewright.domain.parsing import parse_definition

MAX_LENGTH = 4 * 1024 * 1024
MAX_NODES = 200_000
"""Values in one document, each use of an alias counted."""
MAX_NESTING = 100

_Node = yaml.nodes.Node
_TAGS = ("str", "int", "float", "bool", "null", "map", "seq")
_INTEGERS = range(-(2**63), 2**64)
"""The integers that JSON libraries agree on."""


def _tag(name: str) -> str:
    return f"tag:yaml.org,2002:{name}"


class _Loader(yaml.SafeLoader):
    """Strings, numbers, booleans and null as in YAML 1.2; keys are unique strings."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the library's signature
        first: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            _check_key(key, first)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {
    None: yaml.SafeLoader.construct_undefined,
    **{tag: yaml.SafeLoader.yaml_constructors[tag] for tag in map(_tag, _TAGS)},
}


def _check_key(key: _Node, first: dict[str, yaml.Mark]) -> None:
    if key.tag != _tag("str") or not isinstance(key.value, str):
        raise _complaint(key, f"key {_shown(key)} is not a string")
    if key.value in first:
        before = first[key.value].line + 1
        raise _complaint(key, f"key {key.value!r} stands twice (first in line {before})")
    first[key.value] = key.start_mark


def _shown(key: _Node) -> str:
    if isinstance(key, yaml.ScalarNode):
        return repr(key.value)
    return "of a mapping" if isinstance(key, yaml.MappingNode) else "of a list"


def _resolve(kind: str, pattern: str, starts: str) -> None:
    _Loader.add_implicit_resolver(_tag(kind), re.compile(pattern), list(starts))


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_Loader.add_implicit_resolver(_tag("null"), re.compile(r"^$"), [""])
_resolve("int", r"^[-+]?[0-9]+$", "-+0123456789")
_resolve("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")


def _construct_str(_loader: _Loader, node: yaml.ScalarNode) -> str:
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise _complaint(node, "half of a surrogate pair is no character")
    return str(node.value)


def _construct_int(_loader: _Loader, node: yaml.ScalarNode) -> int:
    digits = re.fullmatch(r"[-+]?[0-9]{1,20}", node.value)
    value = int(node.value) if digits else None
    if value is None or value not in _INTEGERS:
        raise _complaint(node, f"{node.value[:40]} is no integer of at most 64 bits")
    return value


def _construct_float(_loader: _Loader, node: yaml.ScalarNode) -> float:
    try:
        value = float(node.value)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _complaint(node, f"{node.value[:40]} is no number that can be kept")
    return value


def _complaint(node: _Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_Loader.add_constructor(_tag("str"), _construct_str)
_Loader.add_constructor(_tag("int"), _construct_int)
_Loader.add_constructor(_tag("float"), _construct_float)


def looks_like_definition(text: str, source: str) -> bool:
    """Whether the document is a mapping with `stages`; raises LoadError for what is no YAML."""
    node = compose(text, source)
    return isinstance(node, yaml.MappingNode) and _child(node, "stages") is not None


def load_definition(text: str, source: str) -> Definition:
    """Read one definition; `source` names the file in messages.

    Raises LoadError for what is no YAML and DefinitionError for what is no definition; both say
    the line. Whether the definition makes sense is for `stagewright.domain.checks`.
    """
    node = compose(text, source)
    try:
        return parse_definition(_construct(node, source), source=source)
    except DefinitionError as error:
        found = [located(problem, node, source) for problem in error.found]
        raise DefinitionError(error.name, found) from error


def located(problem: Problem, node: _Node | None, source: str) -> Problem:
    """The problem with file and line in front of its path."""
    line = line_of(node, problem.path)
    place = f"{source}, line {line}" if line else source
    path = f"{place}, {problem.path}" if problem.path else place
    return Problem(problem.stage, problem.message, problem.remedy, path)


def line_of(node: _Node | None, path: str) -> int | None:
    """The line (from 1) of a place in the document, or of the nearest thing around it."""
    line = None if node is None else node.start_mark.line + 1
    for part in path.split(".") if path else ():
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: _Node | None, part: str) -> tuple[int, _Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        child = node.value[int(part)]
        return child.start_mark.line + 1, child
    return None


def compose(text: str, source: str) -> _Node | None:
    """The document's tree, also for the lines of problems found later; raises LoadError."""
    size = len(text)
    if size > MAX_LENGTH:
        remedy = "Split the definition."
        raise LoadError(source, f"{size} characters, at most {MAX_LENGTH} are read.", remedy=remedy)
    try:
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        raise _not_yaml(error, source) from error
    except RecursionError as error:
        raise LoadError(source, "it is nested too deeply.", remedy="Flatten it.") from error
    if node is not None:
        _Measure(source).weigh(node, 0)
    return node


class _Measure:
    """Counts nodes with every use of an alias, so that a small file cannot become a huge value."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.known: dict[int, int] = {}
        self.open: set[int] = set()

    def weigh(self, node: _Node, depth: int) -> int:
        if id(node) in self.open or depth > MAX_NESTING:
            remedy = "Flatten it, and let no alias contain itself."
            raise LoadError(self.source, f"deeper than {MAX_NESTING} levels.", remedy=remedy)
        if id(node) not in self.known:
            self.open.add(id(node))
            weight = 1 + sum(self.weigh(child, depth + 1) for child in _children(node))
            self.open.remove(id(node))
            self.known[id(node)] = weight
        if self.known[id(node)] > MAX_NODES:
            remedy = "Use fewer aliases."
            raise LoadError(self.source, f"more than {MAX_NODES} values.", remedy=remedy)
        return self.known[id(node)]


def _children(node: _Node) -> list[_Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _construct(node: _Node | None, source: str) -> Any:
    loader = _Loader("")
    try:
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _not_yaml(error, source) from error
    finally:
        loader.dispose()


def _not_yaml(error: yaml.YAMLError, source: str) -> LoadError:
    mark = getattr(error, "problem_mark", None)
    place = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
    reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return LoadError(place, f"{reason}.", remedy="Correct the YAML there.")
