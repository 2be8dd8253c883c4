"""Writes docs/reference/cli.md and settings.md from the commands and settings themselves.

A test holds the files against what is written here: run this after a change of either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

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


PAGES = {"cli.md": cli_page, "settings.md": settings_page}


def main() -> int:
    """Write both pages."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
