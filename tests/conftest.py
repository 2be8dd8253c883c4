"""What every test shares: one asynchronous backend, and reproducible property tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The shared machine is slow at times, so no deadline; the examples are the same in every run.
settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("default"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
