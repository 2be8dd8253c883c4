"""Errors as problem documents (RFC 9457), and back.

Both directions are generated from the error tree: a new error class travels without a word here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stagewright.domain.errors import (
    Conflict,
    CursorExpired,
    Forbidden,
    ForeignRequest,
    LimitExceeded,
    NotFound,
    Problem,
    StagewrightError,
    TimedOut,
    TooOften,
    Unauthorized,
    Unreachable,
    UsageError,
    ValidationFailed,
    first_line,
    slug,
)
from stagewright.domain.places import At

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:stagewright:error:"
_STATUSES: tuple[tuple[type[StagewrightError], int], ...] = (
    (CursorExpired, 410),
    (TooOften, 429),
    (LimitExceeded, 413),
    (Unauthorized, 401),
    (Forbidden, 403),
    (ForeignRequest, 403),
    (NotFound, 404),
    (Conflict, 409),
    (ValidationFailed, 422),
    (UsageError, 400),
    (TimedOut, 504),
    (Unreachable, 503),
)
_STANDARD = frozenset({"message", "remedy", "problems"})


def status_of(error: StagewrightError) -> int:
    """Return the HTTP status of an error; 500 for what no caller can mend."""
    return next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)


def problem_of(error: StagewrightError, status: int | None = None) -> dict[str, Any]:
    """Return an error's problem document; typed attributes stand under `attributes`."""
    kind = type(error)
    document: dict[str, Any] = {
        "type": _TYPE_PREFIX + slug(kind),
        "title": first_line(kind).rstrip("."),
        "status": status or status_of(error),
        "detail": error.message,
        "remedy": error.remedy,
        "problems": [
            {"pointer": getattr(one, "pointer", ""), "message": str(one)}
            for one in getattr(error, "problems", ())
        ],
        "exit_code": error.exit_code,
    }
    attributes = {k: v for k, v in vars(error).items() if _travels(k)}
    if attributes:
        document["attributes"] = attributes
    return document


def _travels(name: str) -> bool:
    """Whether an attribute is one of ours; whoever carries an error on may have put in its own."""
    return name not in _STANDARD and not name.startswith("_")


def encode_problem(error: StagewrightError, status: int | None = None) -> bytes:
    """Return the problem document as JSON; what JSON cannot hold appears as text."""
    return orjson.dumps(problem_of(error, status), default=str, option=orjson.OPT_NON_STR_KEYS)


def error_of(document: Mapping[str, Any], status: int = 500) -> StagewrightError:
    """Return the error that a problem document describes, of the same class.

    A document of unknown type becomes the class that its status stands for.
    """
    known = {slug(kind): kind for kind in every_error()}
    kind = known.get(str(document.get("type", "")).removeprefix(_TYPE_PREFIX))
    if kind is None:
        return _stranger(document, status)
    error = kind.__new__(kind)
    attributes = {k: _frozen(k, v) for k, v in dict(document.get("attributes", {})).items()}
    message = str(document.get("detail", ""))
    error.__dict__.update(message=message, remedy=str(document.get("remedy", "")), **attributes)
    if isinstance(error, ValidationFailed):
        error.problems = tuple(map(_problem, document.get("problems", ())))
    error.args = (message,)
    return error


def every_error(root: type[StagewrightError] = StagewrightError) -> list[type[StagewrightError]]:
    """Return the whole error tree as far as it is imported, parents first."""
    below = [kind for child in root.__subclasses__() for kind in every_error(child)]
    return [root, *below]


def _problem(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    return At(str(entry.get("message", "")), str(entry.get("pointer", "")))


def _frozen(name: str, value: Any) -> Any:
    if name == "found" and isinstance(value, list):
        return tuple(Problem(**item) for item in value)
    return tuple(value) if isinstance(value, list) else value


def _stranger(document: Mapping[str, Any], status: int) -> StagewrightError:
    text = str(document.get("detail") or document.get("title") or f"HTTP status {status}")
    for kind, code in _STATUSES:
        if code == status and kind in {ValidationFailed, UsageError}:
            return kind(text)
    if status == 404:  # noqa: PLR2004 - as HTTP counts
        return NotFound("address", text)
    return Unreachable("The server", text) if status in {502, 503, 504} else StagewrightError(text)
