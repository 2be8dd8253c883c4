"""Keeps the code under test from writing to the log."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def quiet() -> Iterator[None]:
    """Drop every line: what matters in a test is what happens."""
    with heard(_drop):
        yield


@contextmanager
def heard(hear: Any) -> Iterator[None]:
    """Let a structlog processor hear every line, alone."""
    before = structlog.get_config()
    structlog.configure(processors=[hear], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(_: Any, __: str, ___: MutableMapping[str, Any]) -> Any:
    raise structlog.DropEvent
