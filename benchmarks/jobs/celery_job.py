"""Celery: a chain of six tasks over Redis, results kept in Redis."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, chain
from celery.signals import worker_ready

from benchmarks.jobs.common import STAGES, Parcel, check, converse_blocking, leave, parcel, work
from benchmarks.jobs.common import ready as say_ready

URL = os.environ["REDIS_URL"]
LIMIT_S = 120

app = Celery("stages", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=8,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    result_expires=3_600,
)


def make(stage: str) -> Any:
    """Return the task of one stage."""

    def step(given: Parcel) -> Parcel:
        return work(given)

    return app.task(name=stage)(step)


TASKS = [make(stage) for stage in STAGES]


@worker_ready.connect
def started(**_: Any) -> None:
    """Say that this worker takes tasks."""
    say_ready()


def start(name: str) -> Any:
    """Send one chain; return the handle of its last task."""
    first, *others = TASKS
    return chain(first.s(parcel(name)), *(task.s() for task in others)).apply_async()


def finish(handle: Any) -> None:
    """Wait for a chain and look at its result."""
    result: Parcel = handle.get(timeout=LIMIT_S, interval=0.005)
    check(result)


def batch(names: list[str]) -> None:
    """Run many chains at once."""
    for handle in [start(name) for name in names]:
        finish(handle)


if __name__ == "__main__":
    converse_blocking(batch, lambda name: finish(start(name)))
    leave()
