"""What tests of entrypoints share: no variables of the machine, no log of the test before."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from stagewright.entrypoints.settings import Settings


@pytest.fixture(autouse=True)
def _clean_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STAGEWRIGHT_{name.upper()}", raising=False)


@pytest.fixture(autouse=True)
def _clean_log() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
