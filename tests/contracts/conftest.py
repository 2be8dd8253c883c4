"""The suites' fixtures. Each test module says in `harness` which backend it runs them on."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("stagewright.testing.contracts")

from stagewright.ports.backend import Backend  # noqa: E402  # after the rewriting is registered
from stagewright.testing.clock import VirtualClock  # noqa: E402
from stagewright.testing.contracts.harness import Harness  # noqa: E402


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def backend(harness: Harness) -> Backend:
    return harness.backend
