"""Places to work in, as a user has them: a folder, and where workflows live."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagewright.testing.servers import RedisServer
from tests.processes import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder with a SQLite file of its own."""
    place = Place(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")
    yield place
    place.close()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer(appendonly="everysec") as server:
        yield server


@pytest.fixture
def shared(tmp_path: Path, redis: RedisServer) -> Iterator[Place]:
    """A folder whose workflows live on a Redis, where other processes do the work."""
    place = Place(tmp_path, redis.url)
    yield place
    place.close()


def redis_cli(server: RedisServer, *words: str, stdin: bytes | None = None) -> str:
    """Return what `redis-cli` prints; `stdin` becomes the last word."""
    options = ["-x"] if stdin is not None else []
    done = subprocess.run(
        ["redis-cli", "-p", str(server.port), *options, *words],
        input=stdin,
        capture_output=True,
        timeout=20,
        check=True,
    )
    return done.stdout.decode().strip()
