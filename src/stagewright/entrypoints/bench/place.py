"""A place of the benchmark's own beside what is measured, and nothing left of it afterwards."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stagewright.entrypoints.addresses import REDIS, SQLITE, scheme_of, sqlite_path
from stagewright.entrypoints.settings import Settings

PAGE = 1_000


@asynccontextmanager
async def own_place(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings that name another file, or another namespace of the same server."""
    name = f"bench{os.getpid()}"
    scheme = scheme_of(settings.url)
    if scheme == SQLITE:
        path = sqlite_path(settings.url).with_name(f"{name}.db")
        try:
            yield settings.model_copy(update={"url": f"sqlite:///{path}"})
        finally:
            for left in path.parent.glob(f"{path.name}*"):
                left.unlink()
        return
    own = settings.model_copy(update={"namespace": name})
    try:
        yield own
    finally:
        if scheme in REDIS:
            _sweep(own)


def _sweep(settings: Settings) -> None:
    import redis

    with redis.Redis.from_url(settings.url) as client:
        for key in client.scan_iter(f"{settings.namespace}:*", count=PAGE):
            client.unlink(key)
