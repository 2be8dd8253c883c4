"""A home for deliveries that ends with its test, deployed services included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.delivery.driver import stop_services


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "home"
    monkeypatch.setenv("DELIVERY_HOME", str(home))
    yield home
    stop_services(home)
