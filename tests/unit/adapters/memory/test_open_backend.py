from __future__ import annotations

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.domain.errors import ConfigurationError
from stagewright.ports.backend import BackendOptions
from stagewright.testing.clock import VirtualClock

CLOCK = VirtualClock()


async def test_an_unnamed_backend_is_private_to_who_opens_it() -> None:
    options = BackendOptions()
    async with (
        open_backend("memory://", options, CLOCK) as one,
        open_backend("memory://", options, CLOCK) as two,
    ):
        await one.kv.set("key", b"value", None, 0)
        assert await two.kv.get("key", 0) is None


async def test_a_named_backend_is_shared_while_someone_has_it_open() -> None:
    options = BackendOptions()
    async with open_backend("memory://name", options, CLOCK) as one:
        await one.kv.set("key", b"value", None, 0)
        async with open_backend("memory://name", options, CLOCK) as two:
            assert await two.kv.get("key", 0) == b"value"
        assert await one.kv.get("key", 0) == b"value"
    async with open_backend("memory://name", options, CLOCK) as later:
        assert await later.kv.get("key", 0) is None


async def test_names_and_namespaces_keep_shared_backends_apart() -> None:
    async with (
        open_backend("memory://a", BackendOptions(), CLOCK) as a,
        open_backend("memory://b", BackendOptions(), CLOCK) as b,
        open_backend("memory://a", BackendOptions(namespace="other"), CLOCK) as other,
    ):
        await a.kv.set("key", b"value", None, 0)
        assert [await b.kv.get("key", 0), await other.kv.get("key", 0)] == [None, None]


async def test_partitions_are_fixed_by_who_opens_first() -> None:
    async with open_backend("memory://", BackendOptions(), CLOCK) as plain:
        assert plain.partitions == 4
    async with (
        open_backend("memory://name", BackendOptions(partitions=7), CLOCK) as first,
        open_backend("memory://name", BackendOptions(partitions=2), CLOCK) as second,
    ):
        assert (first.partitions, second.partitions) == (7, 7)


async def test_another_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="redis://host"):
        async with open_backend("redis://host", BackendOptions(), CLOCK):
            pass
