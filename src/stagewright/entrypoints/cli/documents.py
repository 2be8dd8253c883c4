"""JSON that commands are given: a file, `-` for standard input, or the text itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from stagewright.domain.errors import UsageError, ValidationFailed


def read_bytes(source: str) -> bytes:
    """Return the bytes of a file or of standard input."""
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{source} cannot be read: {error.strerror}.",
            remedy="Name a file, or - for standard input.",
        ) from error


def read_json(source: str | None) -> Any:
    """Return the JSON value of a file, of `-`, or of the text itself; None when not given."""
    import orjson

    if source is None:
        return None
    inline = source.lstrip()[:1] in {"{", "[", '"'}
    body = source.encode() if inline else read_bytes(source)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = "The text given" if inline else ("Standard input" if source == "-" else source)
        raise ValidationFailed(f"{where} is not JSON: {error}.") from error


def pair_of(text: str) -> tuple[str, str]:
    """Return `KEY=VALUE` as a pair."""
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise UsageError(f"{text!r} is not KEY=VALUE.", remedy="Write for example team=web.")
    return key, value


def instant_of(text: str | None) -> int | None:
    """Return an RFC 3339 instant (or a day) in ms since the epoch; UTC where it names no zone."""
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not an instant.", remedy="Write for example 2030-01-31T12:00:00Z."
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
