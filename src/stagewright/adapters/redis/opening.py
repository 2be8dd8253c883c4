"""Finding out what stands behind a URL: one server, or a cluster."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.exceptions import ResponseError

from stagewright.adapters.redis.cluster import Cluster
from stagewright.adapters.redis.connection import Address, public
from stagewright.adapters.redis.namespace import supported
from stagewright.adapters.redis.server import Server, Single
from stagewright.domain.errors import ConfigurationError, Unreachable

CLUSTER = "+cluster"


async def server_of(url: str) -> Server:
    """Return the server or cluster that answers at a URL; raise Unreachable or ConfigurationError.

    A server says of itself whether it is a node of a cluster.
    """
    seeds, forced = seeds_of(url), CLUSTER in urlsplit(url).scheme
    single, (info, cluster) = await _first_to_answer(seeds)
    says = not isinstance(cluster, ResponseError) and b"cluster_enabled:1" in cluster
    try:
        supported(info)
    except ConfigurationError:
        await single.close()
        raise
    if not (says or forced):
        return single
    await single.close()
    return Cluster(seeds, public(url))


def seeds_of(url: str) -> list[Address]:
    """Return the addresses in a URL: one, or those of `redis+cluster://host:port,host:port/`."""
    parts = urlsplit(url)
    if CLUSTER not in parts.scheme:
        return [Address.of(url)]
    login, at, hosts = parts.netloc.rpartition("@")
    if parts.path.strip("/") not in {"", "0"}:
        raise ConfigurationError("url", f"{public(url)!r}: a cluster has only database 0.")
    scheme = parts.scheme.replace(CLUSTER, "")
    return [
        Address.of(urlunsplit((scheme, f"{login}{at}{host}", "", parts.query, "")))
        for host in hosts.split(",")
    ]


async def _first_to_answer(seeds: list[Address]) -> tuple[Single, list[Any]]:
    """Return the first server that answers, and what it says of itself."""
    failure: Unreachable | None = None
    for seed in seeds:
        single = Single(seed)
        try:
            return single, await single.call_all([("INFO", "server"), ("INFO", "cluster")])
        except Unreachable as error:
            failure = error
            await single.close()
    raise failure or ConfigurationError("url", "it names no server.")
