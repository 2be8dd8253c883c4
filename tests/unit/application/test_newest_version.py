"""A name means its newest version, and asking for it a thousand times asks the registry once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.application.catalog import Catalog
from stagewright.domain.definition import Definition
from stagewright.domain.errors import NotFound
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.testing.clock import VirtualClock


def version(number: str) -> Definition:
    stages: list[dict[str, Any]] = [{"name": "build", "agent": "build"}]
    return Definition.model_validate({"name": "w", "version": number, "stages": stages})


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def backend(clock: VirtualClock) -> AsyncIterator[Backend]:
    async with open_backend("memory://", BackendOptions(), clock) as opened:
        yield opened


async def test_a_version_registered_here_is_the_newest_at_once(
    backend: Backend, clock: VirtualClock
) -> None:
    catalog = Catalog(backend.registry, clock)
    await catalog.register(version("1.0.0"), [])
    await catalog.resolve("w")
    entry = await catalog.register(version("1.1.0"), [])
    assert await catalog.resolve("w") == entry.hash


async def test_a_version_registered_elsewhere_is_the_newest_within_a_second(
    backend: Backend, clock: VirtualClock
) -> None:
    here, elsewhere = Catalog(backend.registry, clock), Catalog(backend.registry, clock)
    old = await here.register(version("1.0.0"), [])
    assert await here.resolve("w") == old.hash
    new = await elsewhere.register(version("1.1.0"), [])
    assert await here.resolve("w") == old.hash
    await clock.advance(1.0)
    assert await here.resolve("w") == new.hash


async def test_a_name_that_is_not_known_is_asked_for_each_time(
    backend: Backend, clock: VirtualClock
) -> None:
    here, elsewhere = Catalog(backend.registry, clock), Catalog(backend.registry, clock)
    with pytest.raises(NotFound):
        await here.resolve("w")
    entry = await elsewhere.register(version("1.0.0"), [])
    assert await here.resolve("w") == entry.hash
