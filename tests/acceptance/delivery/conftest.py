"""Homes for deliveries that end with their tests, deployed services included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.acceptance.delivery.driver import Built, Delivery, shipped, stop_services


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "home"
    monkeypatch.setenv("DELIVERY_HOME", str(home))
    yield home
    stop_services(home)


@pytest.fixture(scope="session")
def todo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """A to-do list that passed validation and e2e, for tests that plant defects in it."""
    home = tmp_path_factory.mktemp("todo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DELIVERY_HOME", str(home))
        delivery = Delivery(shipped("todo"))
        built = anyio.run(delivery.build)
    yield Built(delivery, built.commit)
    stop_services(home)
