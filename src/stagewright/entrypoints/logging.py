"""Logs: JSON or pretty lines on standard error, without secrets.

Payloads are not logged by default; what looks like a secret is blotted out last, after everything
else that could have put it there.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from stagewright.entrypoints.addresses import without_secrets

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
HIDDEN = "***"
_SECRET = re.compile(
    r"password|passwd|secret|authorization|api[_-]?key|access[_-]?key|cookie|credential|(^|[_-])token$",
    re.IGNORECASE,
)
_DEPTH = 6


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "json", "pretty"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Set up structlog for this process, and let other libraries' warnings through."""
    out = stream or sys.stderr
    pretty = form == "pretty" or (form == "auto" and out.isatty())
    number = LEVELS[level]
    structlog.configure(
        processors=[*_shared(), *(_pretty(out) if pretty else _json())],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        stream=out, level=max(number, logging.WARNING), format="%(message)s", force=True
    )


def quiet_unless_configured() -> None:
    """Write warnings and errors alone, unless the program has said what it wants."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[*_shared(), *_pretty(sys.stderr)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _json() -> list[Processor]:
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(tracebacks),
        redact,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _pretty(out: TextIO) -> list[Processor]:
    return [
        redact,
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _dumps(value: object, **_: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blot out values whose key names a secret, and passwords inside URLs."""
    return {key: _clean(key, value, _DEPTH) for key, value in event.items()}


def _clean(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return HIDDEN if _SECRET.search(key) else without_secrets(value)
    if value is None or isinstance(value, int | float):
        return value  # a fencing token is a number, and no secret
    if depth == 0:
        return value
    if isinstance(value, Mapping):
        return {k: _clean(str(k), v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, item, depth - 1) for item in value]
    return HIDDEN if _SECRET.search(key) else value
