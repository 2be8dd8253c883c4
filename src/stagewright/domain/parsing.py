"""From plain data to a definition, with every problem named for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stagewright.domain.definition import (
    AgentStage,
    ApprovalStage,
    Definition,
    ParallelStage,
    Retry,
    Rule,
    WaitStage,
)
from stagewright.domain.errors import DefinitionError, Problem, listing
from stagewright.domain.suggestions import closest

KINDS: dict[str, type[BaseModel]] = {
    "agent": AgentStage,
    "parallel": ParallelStage,
    "approval": ApprovalStage,
    "wait": WaitStage,
}
_PARTS: dict[str, type[BaseModel]] = {"retry": Retry, "rules": Rule}

Location = tuple[int | str, ...]


def parse_definition(data: object, *, source: str = "") -> Definition:
    """Build a definition from plain data (as read from YAML or JSON); raises DefinitionError.

    `source` says where the data came from and stands in for a missing name. Only the form is
    checked here; `stagewright.domain.checks` looks at the sense.
    """
    title = _title(data, source)
    if not isinstance(data, Mapping):
        message = f"A definition is a mapping, but this is {_type_name(data)}."
        raise DefinitionError(title, [Problem(None, message, "Start with `name:` and `stages:`.")])
    try:
        return Definition.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [_problem(data, one) for one in found if not _follows(data, one)]
        raise DefinitionError(title, problems) from error


def _title(data: object, source: str) -> str:
    name = data.get("name") if isinstance(data, Mapping) else None
    return str(name or source or "without a name")


_TYPE_NAMES = {"NoneType": "nothing", "str": "text", "int": "a number", "float": "a number"}


def _type_name(value: object) -> str:
    name = type(value).__name__
    return _TYPE_NAMES.get(name, f"a {name}")


def _follows(data: object, details: ErrorDetails) -> bool:
    """A list seems too short when its members are wrong; these are reported already."""
    return details["type"] == "too_short" and bool(_value_at(data, _without_tags(details["loc"])))


def _problem(data: object, details: ErrorDetails) -> Problem:
    location = _without_tags(details["loc"])
    stage = _stage_at(data, location)
    describe = _DESCRIBE.get(details["type"], _other)
    message, remedy = describe(data, location, details)
    return Problem(stage, message, remedy, ".".join(map(str, location)))


def _without_tags(location: Location) -> Location:
    """Leave out the kinds that the parser puts behind each index into a list of stages."""
    kept: list[int | str] = []
    after_stage = False
    for part in location:
        if not (after_stage and part in KINDS):
            kept.append(part)
        after_stage = isinstance(part, int) and _is_stage(tuple(kept))
    return tuple(kept)


def _is_stage(location: Location) -> bool:
    """Whether the place is a stage: an index into `stages`, or into a branch."""
    if not location or not isinstance(location[-1], int):
        return False
    return location[:-1] == ("stages",) or location[-3:-2] == ("branches",)


def _stage_at(data: object, location: Location) -> str | None:
    """The name of the innermost stage on the way to the place."""
    name: str | None = None
    for depth in range(1, len(location) + 1):
        if _is_stage(location[:depth]):
            stage = _value_at(data, location[:depth])
            found = stage.get("name") if isinstance(stage, Mapping) else None
            name = str(found or ".".join(map(str, location[:depth])))
    return name


def _value_at(data: object, location: Location) -> Any:
    here: Any = data
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return None
    return here


Description = tuple[str, str]
"""Message and remedy."""


def _missing(_data: object, location: Location, _details: ErrorDetails) -> Description:
    if location == ("stages",):
        return _NO_START
    return f"Field `{location[-1]}` is missing.", "Add it."


_NO_START = (
    "There are no stages, so there is no start.",
    "List at least one stage under `stages:`; the first one is the start.",
)


def _too_short(data: object, location: Location, details: ErrorDetails) -> Description:
    return _NO_START if location == ("stages",) else _other(data, location, details)


def _unknown_field(data: object, location: Location, _details: ErrorDetails) -> Description:
    known = _fields_at(data, location[:-1])
    field = str(location[-1])
    message = f"Field `{field}` is not known here. Known: {listing(known, limit=len(known))}."
    return message, closest(field, known)


def _fields_at(data: object, location: Location) -> list[str]:
    """The names of the fields that may stand at a place."""
    model: type[BaseModel] = Definition
    if _is_stage(location):
        stage = _value_at(data, location)
        model = KINDS.get(str(stage.get("kind", "agent")), AgentStage)
    else:
        part = next((str(part) for part in reversed(location) if part in _PARTS), "")
        model = _PARTS.get(part, model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown_kind(data: object, location: Location, _details: ErrorDetails) -> Description:
    kind = str(_value_at(data, (*location, "kind")))
    return f"Kind {kind!r} is not known. Known: {listing(KINDS)}.", closest(kind, KINDS)


def _no_mapping(data: object, location: Location, _details: ErrorDetails) -> Description:
    found = _type_name(_value_at(data, location))
    return (
        f"A mapping is expected, but this is {found}.",
        "Write fields with values, as in `name: x`.",
    )


def _pattern(data: object, location: Location, details: ErrorDetails) -> Description:
    pattern = str(details.get("ctx", {}).get("pattern", ""))
    is_key = location[-1] == "[key]"
    value = location[-2] if is_key else _value_at(data, location)
    field = location[-3] if is_key else location[-1]
    return f"`{field}` has {value!r}, which is not well formed.", _form_of(pattern)


def _form_of(pattern: str) -> str:
    """What to write instead, by the example that the pattern accepts."""
    accepted = (text for example, text in _FORMS.items() if re.fullmatch(pattern, example))
    return next(accepted, f"It must match {pattern}.")


_FORMS = {
    "scaffold@^1.2": "Write NAME@^MAJOR or NAME@^MAJOR.MINOR, as in scaffold@^1.",
    "quorum:2": "Write all, any or quorum:N.",
    "1.0.0": "Write a semantic version, as in 1.0.0.",
    "build-it": "Use lower case letters, digits, - and _, at most 63, starting with a letter.",
    "build_it": "Use lower case letters, digits and _, at most 63, starting with a letter.",
}


def _other(data: object, location: Location, details: ErrorDetails) -> Description:
    value = _value_at(data, location)
    shown = repr(value) if not isinstance(value, dict | list) else _type_name(value)
    field = location[-1] if location else "definition"
    return f"`{field}` is {shown[:80]}. {details['msg']}.", "Correct the value."


_DESCRIBE: dict[str, Callable[[object, Location, ErrorDetails], Description]] = {
    "missing": _missing,
    "model_type": _no_mapping,
    "dict_type": _no_mapping,
    "too_short": _too_short,
    "extra_forbidden": _unknown_field,
    "union_tag_invalid": _unknown_kind,
    "string_pattern_mismatch": _pattern,
}
