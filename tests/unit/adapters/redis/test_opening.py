from __future__ import annotations

import pytest

from stagewright.adapters.redis.opening import seeds_of
from stagewright.domain.errors import ConfigurationError


def test_a_plain_url_names_one_server() -> None:
    (seed,) = seeds_of("redis://ann:secret@one:7001/2?socket_timeout=3")
    assert (seed.place, seed.timeout_s, seed.replicas) == (("one", 7001), 3.0, 0)


def test_a_clusters_url_names_several_that_are_talked_to_in_the_same_way() -> None:
    seeds = seeds_of("rediss+cluster://ann:secret@one:7001,two/?replicas=1")
    assert [seed.place for seed in seeds] == [("one", 7001), ("two", 6379)]
    assert {seed.connection.__name__ for seed in seeds} == {"SSLConnection"}
    assert {(seed.arguments["password"], seed.replicas) for seed in seeds} == {("secret", 1)}


def test_a_cluster_has_one_database() -> None:
    assert len(seeds_of("redis+cluster://one:7001/0")) == 1
    with pytest.raises(ConfigurationError, match="only database 0"):
        seeds_of("redis+cluster://one:7001/3")
