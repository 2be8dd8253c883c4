"""All planted bugs. `tests/unit/test_mutants.py` tells which of them rot as the code changes."""

from __future__ import annotations

from tests.mutants.in_access import IN_ACCESS
from tests.mutants.in_application import IN_APPLICATION
from tests.mutants.in_domain import IN_DOMAIN
from tests.mutants.in_memory import IN_MEMORY
from tests.mutants.in_redis import IN_REDIS
from tests.mutants.in_runner import IN_RUNNER
from tests.mutants.in_sqlite import IN_SQLITE
from tests.mutants.record import Planted

PLANTED: tuple[Planted, ...] = (
    *IN_DOMAIN,
    *IN_APPLICATION,
    *IN_RUNNER,
    *IN_MEMORY,
    *IN_SQLITE,
    *IN_REDIS,
    *IN_ACCESS,
)
