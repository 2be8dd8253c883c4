"""SQLite and Redis under virtual time, each run over an empty one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from stagewright.adapters import redis, sqlite
from stagewright.ports.backend import BackendOptions
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.patient import PatientClock, patient
from tests.faults.crashes import crashed_at

OPTIONS = BackendOptions(partitions=2)
_numbers = itertools.count(1)


def on_sqlite(folder: Path) -> Callable[[], Harness]:
    """Open a new file each time."""

    def opened() -> Harness:
        url = f"sqlite:///{folder / f'{next(_numbers)}.db'}"
        return Harness(
            patient(sqlite.open_backend), url, PatientClock(), BackendOptions(partitions=2)
        )

    return opened


def on_redis(url: str) -> Callable[[], Harness]:
    """Open a new namespace each time."""

    def opened() -> Harness:
        options = replace(OPTIONS, namespace=f"run{next(_numbers)}")
        return Harness(patient(redis.open_backend), url, PatientClock(), options)

    return opened


async def swept(
    open_harness: Callable[[], Harness], first: int, every: int, **harm: Any
) -> tuple[int, dict[str, list[str]]]:
    """Do harm at every so-manieth call, one call a run, until a run ends before its call comes.

    Return how many calls were harmed, and the violations by call. Which call has which number may
    differ from run to run, because servers answer when they can.
    """
    broken: dict[str, list[str]] = {}
    for number in itertools.count(first, every):
        run = await crashed_at(open_harness, number, **harm)
        if run.violations:
            broken[f"call {number}, {run.hits}"] = run.violations
        if not run.hits:
            return (number - first) // every, broken
    raise AssertionError
