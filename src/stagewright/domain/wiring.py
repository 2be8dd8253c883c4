"""Input wiring: templates whose leaves are literals or references to earlier results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from stagewright.domain.errors import ReferenceInvalid

Root = Literal["input", "output", "errors"]

MAX_TEMPLATE_DEPTH = 64
"""Levels of objects and arrays in one template."""

_FORMS = "Write input.FIELD, stages.NAME.output.FIELD or stages.NAME.errors."
_STAGE_PARTS = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """A pointer into the workflow's input, or into a stage's newest output or errors."""

    root: Root
    stage: str | None
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        start = ("input",) if self.stage is None else ("stages", self.stage, self.root)
        return ".".join((*start, *self.path))


Lookup = Callable[[Reference], Any]
"""Gives the value at the reference's root (not its path); None when there is none yet."""


def parse_reference(text: str) -> Reference:
    """Read `input.a.b`, `stages.X.output.a` or `stages.X.errors`; raises ReferenceInvalid."""
    head, *rest = text.split(".")
    if "" in (head, *rest):
        raise ReferenceInvalid(text, "a part between dots is empty.", remedy=_FORMS)
    if head == "input":
        return Reference("input", None, tuple(rest))
    if head == "stages":
        return _parse_stage_reference(text, rest)
    raise ReferenceInvalid(text, f"starts with {head!r}, not with input or stages.", remedy=_FORMS)


def _parse_stage_reference(text: str, parts: list[str]) -> Reference:
    if len(parts) < _STAGE_PARTS - 1:
        raise ReferenceInvalid(text, "says which stage but not what of it.", remedy=_FORMS)
    stage, part, *path = parts
    if part == "output":
        return Reference("output", stage, tuple(path))
    if part == "errors":
        return Reference("errors", stage, tuple(path))
    raise ReferenceInvalid(text, f"a stage has output and errors, no {part!r}.", remedy=_FORMS)


def reference_text(template: object) -> str | None:
    """The text of a `{from: TEXT}` leaf; None for everything else."""
    if isinstance(template, dict) and len(template) == 1:
        text = template.get("from")
        return text if isinstance(text, str) else None
    return None


def leaves(template: object) -> Iterator[tuple[str, str]]:
    """Each reference leaf as (place, unparsed text); places are keys and indexes with dots."""
    yield from _leaves(template, "", 0)


def _leaves(template: object, place: str, depth: int) -> Iterator[tuple[str, str]]:
    text = reference_text(template)
    if text is not None:
        yield place, text
        return
    _check_depth(depth)
    for key, value in _children(template):
        yield from _leaves(value, f"{place}.{key}" if place else str(key), depth + 1)


def _children(template: object) -> Iterator[tuple[object, object]]:
    if isinstance(template, dict):
        yield from template.items()
    elif isinstance(template, list | tuple):
        yield from enumerate(template)


def references(template: object) -> Iterator[tuple[str, Reference]]:
    """Each reference with its place in the template, in order; raises ReferenceInvalid."""
    for place, text in leaves(template):
        yield place, parse_reference(text)


def needed_outputs(template: object) -> tuple[str, ...]:
    """Names of the stages whose outputs the template reads, each once, in order."""
    found = (reference for _, reference in references(template))
    return tuple(dict.fromkeys(r.stage for r in found if r.root == "output" and r.stage))


def dig(value: Any, path: tuple[str, ...]) -> Any:
    """Follow keys into objects and integers into arrays; what is missing is None."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list | tuple):
            value = _item(value, key)
        else:
            return None
    return value


def _item(values: list[Any] | tuple[Any, ...], key: str) -> Any:
    if not (key.isascii() and key.isdigit()) or int(key) >= len(values):
        return None
    return values[int(key)]


_Resolver = Callable[[Lookup], Any]


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template, to be kept and resolved once per visit.

    `stages`: whose outputs it reads. `constant`: whether it reads nothing at all.
    """

    source: Any
    stages: tuple[str, ...]
    references: tuple[Reference, ...]
    _resolver: _Resolver | None

    @property
    def constant(self) -> bool:
        """True when the template is one literal."""
        return self._resolver is None

    def resolve(self, lookup: Lookup) -> Any:
        """The value with every reference replaced; literals are shared, so do not change them."""
        return self.source if self._resolver is None else self._resolver(lookup)


def compile_template(template: Any) -> Template:
    """Compile once, resolve often; raises ReferenceInvalid."""
    found = tuple(reference for _, reference in references(template))
    return Template(template, needed_outputs(template), found, _resolver_of(template))


def resolve(template: Any, lookup: Lookup) -> Any:
    """Resolve a template that is used only once; see `Template.resolve`."""
    return compile_template(template).resolve(lookup)


def _resolver_of(template: Any) -> _Resolver | None:
    text = reference_text(template)
    if text is not None:
        return _follow(parse_reference(text))
    moving = [(key, made) for key, value in _children(template) if (made := _resolver_of(value))]
    if not moving:
        return None
    return _fill_object(template, moving) if isinstance(template, dict) else _fill(template, moving)


def _follow(reference: Reference) -> _Resolver:
    path = reference.path
    if not path:
        return lambda lookup: lookup(reference)
    return lambda lookup: dig(lookup(reference), path)


def _fill_object(template: dict[str, Any], moving: list[tuple[Any, _Resolver]]) -> _Resolver:
    def fill(lookup: Lookup) -> Any:
        filled = template.copy()
        for key, resolver in moving:
            filled[key] = resolver(lookup)
        return filled

    return fill


def _fill(template: list[Any], moving: list[tuple[Any, _Resolver]]) -> _Resolver:
    def fill(lookup: Lookup) -> Any:
        filled = list(template)
        for index, resolver in moving:
            filled[index] = resolver(lookup)
        return filled

    return fill


def _check_depth(depth: int) -> None:
    if depth > MAX_TEMPLATE_DEPTH:
        raise ReferenceInvalid(
            "from",
            f"the template is nested deeper than {MAX_TEMPLATE_DEPTH} levels.",
            remedy="Flatten it, or build the value in an agent.",
        )
