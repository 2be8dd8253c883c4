"""Harm before and after every port call of a five-stage run, on SQLite and on Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagewright.testing.faults import Harm, Moment
from stagewright.testing.servers import RedisServer
from tests.faults.real import on_redis, on_sqlite, swept
from tests.faults.served import DecidingScene, ServedScene


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="always") as started:
        yield started


@pytest.mark.parametrize("harm", ["kill", "fail", "stall"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", [DecidingScene, ServedScene])
@pytest.mark.parametrize("place", ["sqlite", "redis"])
async def test_no_harm_at_any_call_changes_anything(
    tmp_path: Path, server: RedisServer, place: str, kind: Any, moment: Moment, harm: Harm
) -> None:
    open_harness = on_sqlite(tmp_path) if place == "sqlite" else on_redis(server.url)
    harmed, broken = await swept(open_harness, 1, 1, kind=kind, moment=moment, harm=harm)
    assert broken == {}
    assert harmed > 60
