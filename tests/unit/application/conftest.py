"""A world for every test of what orchestrates."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.application.world import World, opened


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as made:
        yield made
