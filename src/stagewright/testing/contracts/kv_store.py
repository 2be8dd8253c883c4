"""What every key-value store must do."""

from __future__ import annotations

import asyncio

from stagewright.ports.backend import Backend
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness


class LifeTimeContract:
    """A value lives for its time, as the caller's clock counts it."""

    async def test_a_value_without_a_life_time_stays(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await backend.kv.set("key", b"\x00value", None, clock.now_ms())
        clock.set_ms(clock.now_ms() + 10**10)
        assert await backend.kv.get("key", clock.now_ms()) == b"\x00value"

    async def test_a_value_whose_time_has_come_reads_as_absent(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.set("key", b"value", 1.5, now_ms)
        assert await kv.get("key", now_ms + 1_499) == b"value"
        assert await kv.get("key", now_ms + 1_501) is None
        assert await kv.scan("k", now_ms + 1_501) == {}

    async def test_setting_again_replaces_value_and_life_time(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.set("longer", b"1", 1.0, now_ms)
        await kv.set("longer", b"2", 9.0, now_ms)
        await kv.set("for ever", b"1", 1.0, now_ms)
        await kv.set("for ever", b"2", None, now_ms)
        await kv.set("shorter", b"1", None, now_ms)
        await kv.set("shorter", b"2", 1.0, now_ms)
        assert await kv.scan("", now_ms + 5_000) == {"longer": b"2", "for ever": b"2"}

    async def test_a_deleted_value_is_absent(self, backend: Backend, clock: VirtualClock) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.set("key", b"value", 60, now_ms)
        assert await kv.delete("key") is True
        assert await kv.delete("key") is False
        assert await kv.get("key", now_ms) is None

    async def test_a_value_set_after_a_deletion_has_no_old_life_time(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.set("key", b"old", 1.0, now_ms)
        await kv.delete("key")
        await kv.set("key", b"new", None, now_ms)
        assert await kv.get("key", now_ms + 60_000) == b"new"

    async def test_what_was_set_for_ever_outlives_the_backend_if_the_store_says_so(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        durability = (await harness.backend.kv.health()).durability
        await harness.backend.kv.set("key", b"value", None, clock.now_ms())
        reopened = await harness.restart()
        found = await reopened.kv.get("key", clock.now_ms())
        assert found == (None if durability == "none" else b"value")


class KVStoreContract(LifeTimeContract):
    """Small values by key, changed atomically."""

    async def test_an_unknown_key_is_absent(self, backend: Backend, clock: VirtualClock) -> None:
        assert await backend.kv.get("unknown", clock.now_ms()) is None

    async def test_an_empty_value_is_not_an_absent_one(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await backend.kv.set("key", b"", None, clock.now_ms())
        assert await backend.kv.get("key", clock.now_ms()) == b""
        assert await backend.kv.compare_and_set("key", None, b"x", None, clock.now_ms()) is False

    async def test_compare_and_set_changes_only_what_it_expects(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.set("owner", b"a", None, now_ms)
        assert await kv.compare_and_set("owner", b"b", b"c", None, now_ms) is False
        assert await kv.compare_and_set("owner", None, b"c", None, now_ms) is False
        assert await kv.compare_and_set("unknown", b"a", b"c", None, now_ms) is False
        assert await kv.scan("", now_ms) == {"owner": b"a"}
        assert await kv.compare_and_set("owner", b"a", b"c", None, now_ms) is True
        assert await kv.get("owner", now_ms) == b"c"

    async def test_compare_and_set_takes_an_absent_or_expired_value(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        assert await kv.compare_and_set("owner", None, b"a", 1.0, now_ms) is True
        assert await kv.compare_and_set("owner", None, b"b", 1.0, now_ms + 500) is False
        assert await kv.compare_and_set("owner", b"a", b"b", 1.0, now_ms + 1_500) is False
        assert await kv.compare_and_set("owner", None, b"b", 1.0, now_ms + 1_500) is True
        assert await kv.get("owner", now_ms + 1_600) == b"b"

    async def test_compare_and_set_renews_the_life_time(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.set("owner", b"a", 1.0, now_ms)
        assert await kv.compare_and_set("owner", b"a", b"a", 5.0, now_ms) is True
        assert await kv.get("owner", now_ms + 4_900) == b"a"
        assert await kv.get("owner", now_ms + 5_100) is None

    async def test_of_many_who_want_to_be_owner_one_is(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        tries = (kv.compare_and_set("owner", None, b"%d" % n, 60, now_ms) for n in range(20))
        won = await asyncio.gather(*tries)
        assert won.count(True) == 1
        assert await kv.get("owner", now_ms) == b"%d" % won.index(True)

    async def test_an_increment_counts_from_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        steps = (1, 5, -2, 0, -10, 2**40)
        counted = [await kv.increment("count", by, None, now_ms) for by in steps]
        assert counted == [1, 6, 4, 4, -6, 2**40 - 6]

    async def test_increments_by_many_add_up(self, backend: Backend, clock: VirtualClock) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        counted = await asyncio.gather(*(kv.increment("n", 1, 60, now_ms) for _ in range(50)))
        assert sorted(counted) == list(range(1, 51))

    async def test_an_increment_renews_the_life_time(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await kv.increment("n", 1, 1.0, now_ms)
        assert await kv.increment("n", 1, 1.0, now_ms + 900) == 2
        assert await kv.increment("n", 1, 1.0, now_ms + 1_800) == 3
        assert await kv.increment("n", 1, 1.0, now_ms + 2_900) == 1

    async def test_a_scan_returns_the_keys_that_begin_with_the_prefix(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        keys = ("a:1", "a:2", "ab:1", "b:1", "a", "A:1", "x:a:1", "a*:1", "a?:1", "a_:1", "a%:[1]")
        for key in keys:
            await kv.set(key, key.encode(), None, now_ms)
        for prefix in ("a:", "a", "b:1", "a*", "a?", "a_", "a%:[", "", "nothing"):
            wanted = {key: key.encode() for key in keys if key.startswith(prefix)}
            assert dict(await kv.scan(prefix, now_ms)) == wanted

    async def test_a_scan_returns_thousands(self, backend: Backend, clock: VirtualClock) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        await asyncio.gather(*(kv.set(f"k{n}", b"%d" % n, None, now_ms) for n in range(2_500)))
        assert dict(await kv.scan("k", now_ms)) == {f"k{n}": b"%d" % n for n in range(2_500)}

    async def test_keys_and_values_may_hold_anything(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        kv, now_ms = backend.kv, clock.now_ms()
        keys = ("with space", "ünï", "{tag}", "a:b:c", "quote'\"", "line\nbreak", "*")
        for key in keys:
            await kv.set(key, bytes(range(256)), None, now_ms)
        assert dict(await kv.scan("", now_ms)) == dict.fromkeys(keys, bytes(range(256)))

    async def test_health_of_the_key_value_store_is_good(self, backend: Backend) -> None:
        assert (await backend.kv.health()).ok is True
