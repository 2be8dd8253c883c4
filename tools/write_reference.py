"""Writes the pages of docs/reference that say what the code itself says.

Commands, settings, the HTTP interface and the catalogue of errors.

A test holds the files against what is written here: run this after a change of either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

from stagewright.adapters.http.problems import every_error, status_of
from stagewright.domain.errors import StagewrightError, first_line, slug
from stagewright.entrypoints.api.app import routed
from stagewright.entrypoints.api.openapi import document
from stagewright.entrypoints.cli.app import app
from stagewright.entrypoints.settings import Settings

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
EXIT_CODES = {
    0: "it worked",
    1: "the workflow failed, or `doctor` found something broken",
    2: "the request cannot be understood, or a setting cannot be used",
    3: "what was asked for does not exist",
    4: "a conflict: the state changed, or it is already decided",
    5: "a value or a definition does not have the agreed shape",
    6: "a server or store does not answer, or has no room left",
    7: "the time allowed for waiting is over",
    8: "whoever asks may not do this",
}


def cli_page() -> str:
    """Return the page of the command line."""
    codes = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    lines = [
        "# Command line",
        "",
        "Data goes to standard output, everything else to standard error. `--json` prints JSON",
        "instead of text, and errors as problem documents (RFC 9457) on standard error. Where",
        "workflows live is said by `--url`, else by the [settings](settings.md).",
        "",
        "| exit code | meaning |",
        "|---|---|",
        *codes,
        "",
        *_commands(typer.main.get_command(app), "stagewright"),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield from _command(command, path)
        return
    for name in command.list_commands(None):
        yield from _commands(children[name], f"{path} {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    parameters = [one for one in command.params if one.name != "help"]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    options = [one for one in parameters if one.param_type_name == "option"]
    words = [path, *(_argument(one) for one in arguments), "[OPTIONS]"]
    yield from (f"## `{' '.join(words)}`", "", command.help.strip(), "")
    yield from ("| | |", "|---|---|")
    for one in arguments:
        yield f"| `{_cell(one.metavar or one.name.upper())}` | {_cell(one.help)} |"
    for one in options:
        yield f"| {_names(one)} | {_cell(one.help)}{_default(one)} |"
    yield ""


def _argument(one: Any) -> str:
    name = one.metavar or one.name.upper()
    return name if one.required or name.startswith("[") else f"[{name}]"


def _names(one: Any) -> str:
    value = "" if one.is_flag else f" {one.metavar or _type(one)}"
    return f"`{one.opts[0]}{_cell(value)}`"


def _type(one: Any) -> str:
    kind = one.type_descriptor.annotation
    return "N" if kind in {int, float} else "TEXT"


def _default(one: Any) -> str:
    if isinstance(one.show_default, str):
        return f" Default: {one.show_default}."
    if one.is_flag or one.default in (None, "", []):
        return ""
    return f" Default: `{one.default}`."


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def settings_page() -> str:
    """Return the page of the settings."""
    lines = [
        "# Settings",
        "",
        "A flag wins over a `STAGEWRIGHT_*` variable, this over the nearest `stagewright.toml`",
        "upward from the working directory, this over the default. `stagewright config show`",
        "prints what holds and where it comes from. A key in the toml that is not listed here is",
        "an error. Secrets are never printed.",
        "",
        "| in `stagewright.toml` | in the environment | type | default | meaning |",
        "|---|---|---|---|---|",
        *(_setting(name) for name in Settings.model_fields),
    ]
    return "\n".join(lines) + "\n"


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    default = "" if field.default is None else f"`{field.default}`"
    cells = [f"`{name}`", f"`STAGEWRIGHT_{name.upper()}`", _kind(field.annotation), default]
    return "| " + " | ".join([*cells, _cell(field.description)]) + " |"


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not type(None)]
    kind = get_args(kinds[0])[0] if get_origin(kinds[0]) is not None else kinds[0]
    return {str: "text", int: "number", float: "seconds"}.get(kind, "secret text")


def http_page() -> str:
    """Return the page of the HTTP interface."""
    made = document(routed())
    lines = [
        "# HTTP interface",
        "",
        "A server of `stagewright dev` or `stagewright serve --port N` answers on loopback.",
        "Requests carry a key as `Authorization: Bearer KEY`; each route names the scope it needs.",
        "Bodies are JSON of at most 1 MiB, nested at most 64 deep. The same as an OpenAPI 3.1",
        "document: `GET /api/v1/openapi.json`. Errors are [problem documents](problems.md).",
        "",
        *_routes(made),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _routes(made: dict[str, Any]) -> Iterator[str]:
    tagged: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            found = tagged.setdefault(operation["tags"][0], [])
            found.append((method.upper(), path, operation))
    for tag, operations in tagged.items():
        yield from (f"## {tag.capitalize()}", "")
        for method, path, operation in operations:
            yield from _route(method, path, operation)


def _route(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    scope = operation.get("x-scope")
    yield from (f"### `{method} {path}`", "", operation["description"].strip(), "")
    yield f"Scope: `{scope}`." if scope else "Needs no key."
    answers = [code for code in operation["responses"] if code.isdigit()]
    body = _body_of(operation)
    yield f"{f'Body: {body}. ' if body else ''}Answers: {', '.join(answers)}."
    parameters = [one for one in operation.get("parameters", ()) if one["in"] != "path"]
    if parameters:
        yield from ("", "| parameter | |", "|---|---|")
    for one in parameters:
        place = " (header)" if one["in"] == "header" else ""
        yield f"| `{one['name']}`{place} | {_cell(_schema_text(one))} |"
    yield ""


def _body_of(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    choices = content.get("schema", {}).get("anyOf", [content.get("schema", {})])
    names = [one["$ref"].rpartition("/")[2] for one in choices if "$ref" in one]
    return f"`{names[0]}`" if names else ""


def _schema_text(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    told = parameter.get("description") or schema.get("description", "")
    default = schema.get("default")
    shown = "" if default in (None, [], "") else f" Default: `{default}`."
    return f"{told}{shown}".strip()


def problems_page() -> str:
    """Return the catalogue of errors."""
    lines = [
        "# Problems",
        "",
        "Errors over HTTP, and with `--json` on the command line, are problem documents",
        "(RFC 9457) of the media type `application/problem+json`. `type` is",
        "`urn:stagewright:error:` and the name below. `detail` says what was found, `remedy` what",
        "to do, and `problems` lists each wrong field: a JSON `pointer` into the request, and a",
        "`message`. `attributes` hold what programs want to know, by error. In Python the same",
        "errors are classes of `stagewright`.",
        "",
        "| type | status | exit code | meaning |",
        "|---|---|---|---|",
        *(_problem(kind) for kind in every_error() if kind.__module__ == CATALOGUE),
        "",
        "Without a key, or with a wrong one, the status is 401; under a foreign name, 403.",
    ]
    return "\n".join(lines) + "\n"


CATALOGUE = StagewrightError.__module__


def _problem(kind: type[StagewrightError]) -> str:
    error = kind.__new__(kind)
    return f"| `{slug(kind)}` | {status_of(error)} | {kind.exit_code} | {_cell(first_line(kind))} |"


PAGES = {
    "cli.md": cli_page,
    "settings.md": settings_page,
    "http.md": http_page,
    "problems.md": problems_page,
}


def main() -> int:
    """Write all pages."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
