"""A file of its own for each test, and a disk that tells what it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stagewright.adapters.sqlite import SqliteBackend, open_backend
from stagewright.ports.backend import BackendOptions
from stagewright.testing.clock import VirtualClock
from stagewright.testing.disk import Disk


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
async def backend(url: str, clock: VirtualClock) -> AsyncIterator[SqliteBackend]:
    async with open_backend(url, BackendOptions(), clock) as opened:
        yield opened


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Named before `backend`, so that the backend's files lie on it."""
    with Disk() as watched:
        yield watched
