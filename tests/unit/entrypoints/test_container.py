from __future__ import annotations

import pytest

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.container import backend_opener, opened
from stagewright.entrypoints.settings import Settings


def test_an_unknown_scheme_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"mysql://.*sqlite:///PATH"):
        backend_opener("mysql://host/db")


async def test_everything_is_resolved_once_and_shares_one_backend() -> None:
    async with opened(Settings(url="memory://")) as container:
        control = container.control()
        assert container.control() is control
        assert control.backend is container.backend()
        assert control.catalog is container.catalog()


async def test_each_opening_has_a_container_of_its_own() -> None:
    settings = Settings(url="memory://")
    async with opened(settings) as one, opened(settings) as other:
        assert one.control() is not other.control()
        assert one.backend() is not other.backend()


async def test_settings_reach_what_they_are_for() -> None:
    settings = Settings(
        url="memory://", partitions=3, lease_s=7, grace_s=2, retention_s=60, tombstone_s=90
    )
    async with opened(settings) as container:
        assert container.backend().partitions == 3
        assert container.orchestrator().options.retention_s == 60
        assert container.orchestrator().options.tombstone_s == 90
        assert (container.runner_options().lease_s, container.runner_options().grace_s) == (7, 2)
