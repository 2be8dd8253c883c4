"""dramatiq: a pipeline of six actors over Redis, results kept."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Middleware, Pipelines, Retries, TimeLimit
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from redis import Redis

from benchmarks.jobs.common import (
    LAST,
    STAGES,
    Parcel,
    check,
    converse_blocking,
    leave,
    parcel,
    work,
)
from benchmarks.jobs.common import ready as say_ready
from benchmarks.jobs.queued import DONE

URL = os.environ["REDIS_URL"]


class Herald(Middleware):
    """Says when a worker has started."""

    def after_worker_boot(self, *_: Any) -> None:
        """Tell the measurer."""
        say_ready()


kept = Results(backend=RedisBackend(url=URL), store_results=True, result_ttl=3_600_000)
chosen = [AgeLimit(), TimeLimit(), Callbacks(), Pipelines(), Retries(), kept, Herald()]
dramatiq.set_broker(RedisBroker(url=URL, middleware=chosen))
client = Redis.from_url(URL)


def make(place: int, stage: str) -> Any:
    """Return the actor of one stage."""

    def step(given: Parcel) -> Parcel:
        result = work(given)
        if place == LAST:
            check(result)
            client.rpush(DONE, result["name"])
        return result

    return dramatiq.actor(step, actor_name=stage)


ACTORS = [make(place, stage) for place, stage in enumerate(STAGES)]


def start(name: str) -> None:
    """Send one pipeline."""
    first, *others = ACTORS
    dramatiq.pipeline([first.message(parcel(name)), *(a.message() for a in others)]).run()


def batch(names: list[str]) -> None:
    """Run many pipelines at once."""
    for name in names:
        start(name)
    missing = len(names)
    while missing:
        popped: Any = client.blmpop(60, 1, DONE, direction="LEFT", count=500)
        missing -= len(popped[1])


if __name__ == "__main__":
    converse_blocking(batch, lambda name: batch([name]))
    leave()
