"""The sweep over SQLite and Redis: every so-manieth call of runners that decide or do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stagewright.testing.contracts.harness import Harness
from stagewright.testing.faults import Moment
from stagewright.testing.servers import RedisServer
from tests.faults.crashes import crashed_at
from tests.faults.real import on_redis, on_sqlite, swept
from tests.faults.served import DecidingScene, ServedScene
from tests.faults.test_crash_sweep import Forgetful, plant

EVERY = 12


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="always") as started:
        yield started


class Impatient(ServedScene):
    give_up_s = 60.0


class Sweep:
    async def test_undisturbed_the_pipeline_ends_as_it_should(
        self, open_harness: Callable[[], Harness]
    ) -> None:
        run = await crashed_at(open_harness, kind=DecidingScene)
        assert run.violations == []

    @pytest.mark.parametrize("kind", [DecidingScene, ServedScene])
    @pytest.mark.parametrize(("moment", "first"), [("before", 3), ("after", 7)])
    async def test_a_kill_changes_nothing(
        self, open_harness: Callable[[], Harness], kind: Any, moment: Moment, first: int
    ) -> None:
        harmed, broken = await swept(open_harness, first, EVERY, kind=kind, moment=moment)
        assert broken == {}
        assert harmed > 60 / EVERY

    async def test_a_planted_fault_is_found(
        self, open_harness: Callable[[], Harness], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plant(monkeypatch, "bus", Forgetful)
        for number in range(20, 100):
            run = await crashed_at(open_harness, number, moment="after", kind=Impatient)
            if "the workflow never ended" in run.violations:
                return
        pytest.fail("no kill was too much for a bus that forgets")


class TestSqlite(Sweep):
    @pytest.fixture
    def open_harness(self, tmp_path: Path) -> Callable[[], Harness]:
        return on_sqlite(tmp_path)


class TestRedis(Sweep):
    @pytest.fixture
    def open_harness(self, server: RedisServer) -> Callable[[], Harness]:
        return on_redis(server.url)
