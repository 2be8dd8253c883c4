"""What commands print: JSON or text on standard output, remarks and errors on standard error."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stagewright.domain.errors import DefinitionError, StagewrightError, ValidationFailed

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 200
"""Columns when nobody watches: a pipe should get whole values."""


@functools.cache
def _console(*, errors: bool, stream: Any) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else _WIDE
    return Console(
        file=stream, stderr=errors, width=width, highlight=False, soft_wrap=not stream.isatty()
    )


def out() -> Console:
    """Return the console for data."""
    return _console(errors=False, stream=sys.stdout)


def err() -> Console:
    """Return the console for everything else."""
    return _console(errors=True, stream=sys.stderr)


def print_json(value: Any) -> None:
    """Print a model, or lists and mappings of them, as one line of JSON."""
    import orjson

    option = orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, default=_plain, option=option).decode())
    sys.stdout.flush()


def pretty_json(value: Any) -> str:
    """Return JSON for people."""
    import orjson

    return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2).decode()


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is None:
        return str(value)
    return dump(mode="json")


def say(text: str, *, style: str = "") -> None:
    """Print a remark."""
    from rich.text import Text

    err().print(Text(text, style=style))


def report(error: StagewrightError, *, as_json: bool = False) -> None:
    """Print an error: what was found, each problem on a line of its own, and what to do."""
    if as_json:
        from stagewright.adapters.http.problems import encode_problem

        sys.stderr.write(encode_problem(error).decode() + "\n")
        return
    from rich.text import Text

    console = err()
    console.print(Text.assemble(("error: ", "bold red"), _headline(error)))
    for problem in getattr(error, "problems", ()):
        console.print(Text(f"  - {problem}"))
    if error.remedy:
        console.print(Text(f"  {arrow()} {error.remedy}", style="cyan"))


def _headline(error: StagewrightError) -> str:
    """The message without the problems that follow on lines of their own."""
    if isinstance(error, DefinitionError) or not isinstance(error, ValidationFailed):
        return error.message
    joined = "; ".join(error.problems)
    return error.message.removesuffix(f": {joined}") if joined else error.message


def arrow() -> str:
    """Return an arrow that the terminal can show."""
    return symbol("→", "->")


def symbol(wanted: str, plain: str) -> str:
    """Return `wanted` where the output's encoding has it, else `plain`."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        wanted.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return plain
    return wanted


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    fold: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> None:
    """Print a table on standard output; see `tables.table`."""
    from stagewright.entrypoints.cli.tables import table

    out().print(table(columns, rows, out(), fold=fold, drop=drop))


def rows_of(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return names and values for two columns, None left out."""
    return [(name, str(value)) for name, value in values.items() if value is not None]
