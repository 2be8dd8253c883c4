"""Values and sentences of a request as parts of source code, whatever they contain."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator

from pydantic import JsonValue

from examples.delivery.request import Resource, ResourceField

WIDTH = 88
CHUNK_CHARACTERS = 70
LONG_RUN = re.compile(r"(.)\1{23,}", re.DOTALL)

_WHAT_OPERATIONS_DO = {
    "create": ("POST", "", "Store a record."),
    "list": ("GET", "", "List records, 100 at a time; `?after=ID` goes on after a record."),
    "read": ("GET", "/{id}", "Return a record."),
    "update": ("PUT", "/{id}", "Replace a record."),
    "delete": ("DELETE", "/{id}", "Remove a record."),
}


def python(value: JsonValue | tuple[JsonValue, ...]) -> str:
    """`value` as a Python expression; long texts are broken up, since no formatter does that."""
    match value:
        case str():
            return _text(value)
        case dict():
            return "{" + ", ".join(f"{python(k)}: {python(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(python, value)) + "]"
        case tuple():
            # A comma at the end would make the formatter put each item on a line of its own.
            return "(" + ", ".join(map(python, value)) + ("," if len(value) == 1 else "") + ")"
        case _:
            return repr(value)


def _text(value: str) -> str:
    if run := LONG_RUN.match(value):
        rest = value[run.end() :]
        return f"{_quoted(run[1])} * {run.end()}" + (f" + {_text(rest)}" if rest else "")
    # JSON's quoting is a subset of Python's.
    if len(value) <= CHUNK_CHARACTERS:
        return _quoted(value)
    chunks = (value[i : i + CHUNK_CHARACTERS] for i in range(0, len(value), CHUNK_CHARACTERS))
    return "(" + " ".join(map(_quoted, chunks)) + ")"


def _quoted(text: str) -> str:
    # Everything that cannot be seen is written as an escape, and everything else as it is.
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in json.dumps(text, ensure_ascii=False)
    )


def prose(text: str) -> str:
    """`text` on lines of at most 88 characters, without anything invisible."""
    return textwrap.fill(_visible(text), WIDTH, break_long_words=False)


def docstring(text: str) -> str:
    """`text` for the inside of a docstring that starts a file."""
    safe = _visible(text).replace("\\", "\\\\").replace('"', "'")
    first, *rest = textwrap.wrap(safe, WIDTH) or ["A web service."]
    return "\n".join([first, *rest, ""] if rest else [first])


def comment(text: str) -> list[str]:
    """`text` as the lines of a comment."""
    return textwrap.wrap(_visible(text), WIDTH)


def cell(text: str) -> str:
    """`text` for a cell of a Markdown table."""
    return _visible(text).replace("|", "\\|") or "-"


def grouped(number: int) -> str:
    """65536 as 65_536."""
    return f"{number:_}"


def field_arguments(field: ResourceField) -> str:
    """The arguments of the generated `Field` for this field."""
    given: dict[str, JsonValue | tuple[JsonValue, ...]] = {}
    for name in (
        "required",
        "default",
        "min_length",
        "max_length",
        "pattern",
        "minimum",
        "maximum",
    ):
        value = getattr(field, name)
        if value is not None and value is not False:
            given[name] = value
    if field.default is False:
        given["default"] = False
    if field.choices:
        given["choices"] = field.choices
    named = [f"{name}={python(value)}" for name, value in given.items()]
    return ", ".join([python(field.name), python(field.type), *named])


def operations_of(resource: Resource) -> Iterator[tuple[str, str, str]]:
    """Method, path and explanation of each operation of a resource."""
    for operation in resource.operations:
        method, end, text = _WHAT_OPERATIONS_DO[operation]
        if operation == "list" and resource.search:
            text += f" `?search=WORDS` looks into {' and '.join(resource.search)}."
        yield method, f"/{resource.name}{end}", text


def rules_in_words(field: ResourceField) -> str:
    """The rules of a field for people."""
    known = {
        "required": "required" if field.required else None,
        "at least {} characters": field.min_length,
        "at most {} characters": field.max_length,
        "of the form `{}`": field.pattern,
        "from {:g}": field.minimum,
        "to {:g}": field.maximum,
        "one of {}": ", ".join(map(str, field.choices)) or None,
        "else {}": json.dumps(field.default) if field.default is not None else None,
    }
    return ", ".join(text.format(value) for text, value in known.items() if value is not None)


def _visible(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
