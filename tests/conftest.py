"""What every test shares: one asynchronous backend, and reproducible property tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from stagewright.testing.servers import RedisCluster

# The shared machine is slow at times, so no deadline; the examples are the same in every run.
settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("default"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Three masters and their replicas, shared by all tests of a process: nobody harms them."""
    with RedisCluster(appendonly="always") as started:
        yield started
