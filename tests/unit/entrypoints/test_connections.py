from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from stagewright.adapters.http.queries import HttpQueries
from stagewright.application.queries import Queries
from stagewright.domain.errors import (
    ConfigurationError,
    OwnedElsewhere,
    Unauthorized,
    UsageError,
)
from stagewright.entrypoints import connections
from stagewright.entrypoints.connections import connected
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.hosting import open_the_door
from stagewright.entrypoints.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(url=f"sqlite:///{tmp_path}/state.db")


async def test_memory_cannot_be_reached_from_another_process() -> None:
    with pytest.raises(UsageError, match="lives inside one process"):
        async with connected(Settings(url="memory://")):
            pass


async def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="mysql"):
        async with connected(Settings(url="mysql://host")):
            pass


async def test_a_file_nobody_owns_is_owned_for_the_length_of_a_call(settings: Settings) -> None:
    async with connected(settings) as sessions:
        async with sessions() as connection:
            assert isinstance(connection.queries, Queries)
        async with opened(settings):  # free again between two calls
            pass
        async with sessions() as connection:
            assert (await connection.queries.system()).durability == "process"


async def test_an_owned_file_is_reached_through_its_owners_door(settings: Settings) -> None:
    async with (
        opened(settings) as container,
        open_the_door(container, 0),
        connected(settings) as sessions,
        sessions() as connection,
    ):
        assert isinstance(connection.queries, HttpQueries)
        assert (await connection.queries.system()).backend == settings.url


async def test_the_address_of_a_door_is_reached_with_its_token(settings: Settings) -> None:
    async with opened(settings) as container, open_the_door(container, 0) as door:
        direct = Settings(url=door.address, token=door.token)
        async with connected(direct) as sessions, sessions() as connection:
            assert (await connection.queries.system()).backend == settings.url
        with pytest.raises(Unauthorized, match="key"):
            async with connected(Settings(url=door.address)) as sessions, sessions() as connection:
                await connection.queries.system()


async def test_an_owner_that_is_about_to_open_its_door_is_waited_for(settings: Settings) -> None:
    async with opened(settings) as container, AsyncExitStack() as doors:

        async def reach() -> None:
            async with connected(settings) as sessions, sessions() as connection:
                assert isinstance(connection.queries, HttpQueries)

        async with anyio.create_task_group() as group:
            group.start_soon(reach)
            await anyio.lowlevel.checkpoint()
            await doors.enter_async_context(open_the_door(container, 0))


async def test_an_owner_without_a_door_is_named_in_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "OWNER_WAIT_S", 0.0)
    async with opened(settings), connected(settings) as sessions:
        with pytest.raises(OwnedElsewhere, match="has not opened its door"):
            async with sessions():
                pass


async def test_a_record_left_behind_does_not_lead_astray(settings: Settings) -> None:
    async with opened(settings) as container, open_the_door(container, 0) as door:
        pass
    path = Path(settings.url.removeprefix("sqlite:///"))
    async with opened(settings) as container:
        container.backend().publish_door(door.address, door.token)
        record = path.with_name("state.db.owner").read_bytes()
    path.with_name("state.db.owner").write_bytes(record)
    async with connected(settings) as sessions, sessions() as connection:
        assert isinstance(connection.queries, Queries)
