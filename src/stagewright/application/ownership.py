"""Which orchestrator owns which partition: leases in the key-value store, spread evenly.

Ownership brings order, warm caches and timers; safety rests on the commit's checks alone, so two
owners at once are harmless.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from stagewright.ports.kv_store import IKVStore
from stagewright.ports.system import IClock

ORCHESTRATORS = "presence:orchestrator:"


class Ownership:
    """The partitions that this orchestrator owns now."""

    def __init__(
        self,
        kv: IKVStore,
        clock: IClock,
        holder: str,
        partitions: int,
        ttl_s: float = 10.0,
        *,
        inherit: bool = False,
    ) -> None:
        """`inherit`: nobody else can be alive, so at first all is taken from whoever has it."""
        self._kv = kv
        self._clock = clock
        self._holder = holder
        self._partitions = partitions
        self._ttl_s = ttl_s
        self._values: dict[int, bytes] = {}
        self._inherit = inherit

    @property
    def owned(self) -> frozenset[int]:
        """The partitions in hand."""
        return frozenset(self._values)

    @property
    def renew_s(self) -> float:
        """How long until `renew` should run again."""
        return self._ttl_s / 3

    async def renew(self) -> frozenset[int]:
        """Renew what is owned, give up a surplus, take what is free up to a fair share."""
        now_ms = self._clock.now_ms()
        sign = orjson.dumps({"told_at_ms": now_ms, "next_s": self.renew_s})
        await self._kv.set(ORCHESTRATORS + self._holder, sign, self._ttl_s, now_ms)
        alive = max(1, len(await self._kv.scan(ORCHESTRATORS, now_ms)))
        fair = -(-self._partitions // alive)
        if self._inherit:
            await self._take_all()
            return self.owned
        for partition in sorted(self._values):
            await self._keep(partition)
        for partition in sorted(self._values)[fair:]:
            await self._give_up(partition)
        for partition in self._in_turn():
            if len(self._values) >= fair:
                break
            await self._take(partition)
        return self.owned

    async def _take_all(self) -> None:
        """Those who own the partitions are dead: do not wait for their leases to run out."""
        self._inherit = False
        for key in await self._kv.scan(ORCHESTRATORS, self._clock.now_ms()):
            if key != ORCHESTRATORS + self._holder:
                await self._kv.delete(key)  # or a share would be kept free for the dead
        for partition in range(self._partitions):
            value = self._claim_of_mine()
            await self._kv.set(owner_key(partition), value, self._ttl_s, self._clock.now_ms())
            self._values[partition] = value

    def _claim_of_mine(self) -> bytes:
        return orjson.dumps({"holder": self._holder, "since_ms": self._clock.now_ms()})

    def _in_turn(self) -> Iterable[int]:
        """Start at a place of our own, so that orchestrators do not race for the same ones."""
        start = sum(self._holder.encode()) % self._partitions
        return ((start + i) % self._partitions for i in range(self._partitions))

    async def _keep(self, partition: int) -> None:
        value = self._values[partition]
        if not await self._swap(partition, value, value, self._ttl_s):
            del self._values[partition]

    async def _take(self, partition: int) -> None:
        if partition in self._values:
            return
        value = self._claim_of_mine()
        if await self._swap(partition, None, value, self._ttl_s):
            self._values[partition] = value

    async def _give_up(self, partition: int) -> None:
        value = self._values.pop(partition)
        await self._swap(partition, value, b"", 0.001)

    async def _swap(
        self, partition: int, expected: bytes | None, value: bytes, ttl_s: float
    ) -> bool:
        return await self._kv.compare_and_set(
            owner_key(partition), expected, value, ttl_s, self._clock.now_ms()
        )

    async def release(self) -> None:
        """Give everything up, so that others need not wait for the leases to run out."""
        for partition in sorted(self._values):
            await self._give_up(partition)
        await self._kv.delete(ORCHESTRATORS + self._holder)


def owner_key(partition: int) -> str:
    """Return the key of a partition's lease."""
    return f"owner:{partition}"


async def owners(kv: IKVStore, now_ms: int) -> dict[int, str]:
    """Return partition to holder, for those that are owned."""
    found = await kv.scan("owner:", now_ms)
    return {
        int(key.partition(":")[2]): orjson.loads(value)["holder"]
        for key, value in found.items()
        if value
    }
