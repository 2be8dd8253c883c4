"""Which orchestrator owns which partition: leases in the key-value store, spread evenly.

One lease is renewed for each orchestrator, its presence; what says who owns a partition is written
only when that changes, and holds as long as its owner is present. So renewing costs two calls,
however many partitions there are. Who is seen to have ended, on the same host, is present no more
before its lease runs out. Ownership brings order, warm caches and timers; safety rests on
the commit's checks alone, so two owners at once are harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from stagewright.application.signs import give_sign, holds, read_signs
from stagewright.ports.kv_store import IKVStore
from stagewright.ports.system import IClock, IProcesses

ORCHESTRATORS = "orchestrator:"
PRESENT = ORCHESTRATORS + "present:"
_OWNER = ORCHESTRATORS + "owner:"


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
        processes: IProcesses | None = None,
    ) -> None:
        """`inherit`: nobody else can be alive, so at first all is taken from whoever has it.

        Without `processes` nobody is seen to have ended.
        """
        self._kv = kv
        self._clock = clock
        self._holder = holder
        self._partitions = partitions
        self._ttl_s = ttl_s
        self._values: dict[int, bytes] = {}
        self._inherit = inherit
        self._processes = processes

    @property
    def owned(self) -> frozenset[int]:
        """The partitions in hand."""
        return frozenset(self._values)

    @property
    def renew_s(self) -> float:
        """How long until `renew` should run again."""
        return self._ttl_s / 2

    async def renew(self) -> frozenset[int]:
        """Renew what is owned, give up a surplus, take what is free up to a fair share."""
        now_ms = self._clock.now_ms()
        await give_sign(
            self._kv, PRESENT + self._holder, self._facts(),
            next_s=self.renew_s, lasts_s=self._ttl_s, now_ms=now_ms,
        )  # fmt: skip
        told = await self._kv.scan(ORCHESTRATORS, now_ms)
        if self._inherit:
            await self._take_all(told)
            return self.owned
        present = _present(told, now_ms) - self._ended(told)
        owned = _owners(told, present)
        self._values = {
            partition: told[owner_key(partition)]
            for partition, holder in owned.items()
            if holder == self._holder  # also what was taken in a call whose answer was lost
        }
        alive = max(1, len(present))  # a call may last longer than the sign of life before it
        fair = -(-self._partitions // alive)
        for partition in sorted(self._values)[fair:]:
            await self._give_up(partition)
        for partition in self._in_turn():
            if len(self._values) >= fair:
                break
            if partition not in owned:
                await self._take(partition, told.get(owner_key(partition)))
        return self.owned

    def _facts(self) -> dict[str, Any]:
        return {} if self._processes is None else {"process": self._processes.mine()}

    def _ended(self, told: Mapping[str, bytes]) -> frozenset[str]:
        """Return those whose leases go on although they have ended."""
        processes = self._processes
        if processes is None:
            return frozenset()
        others = [one for one in read_signs(told, PRESENT) if one["holder"] != self._holder]
        return frozenset(one["holder"] for one in others if processes.ended(one.get("process", "")))

    async def _take_all(self, told: Mapping[str, bytes]) -> None:
        """Those who own the partitions are dead: do not wait for their leases to run out."""
        self._inherit = False
        for sign in read_signs(told, PRESENT):
            if sign["holder"] != self._holder:  # or a share would be kept free for the dead
                await self._kv.delete(PRESENT + sign["holder"])
        for partition in range(self._partitions):
            value = self._claim_of_mine()
            await self._kv.set(owner_key(partition), value, None, self._clock.now_ms())
            self._values[partition] = value

    def _claim_of_mine(self) -> bytes:
        return orjson.dumps({"holder": self._holder, "since_ms": self._clock.now_ms()})

    def _in_turn(self) -> Iterable[int]:
        """Start at a place of our own, so that orchestrators do not race for the same ones."""
        start = sum(self._holder.encode()) % self._partitions
        return ((start + i) % self._partitions for i in range(self._partitions))

    async def _take(self, partition: int, told: bytes | None) -> None:
        """Take a partition whose owner, if it has one, is present no more."""
        mine = self._claim_of_mine()
        if await self._swap(owner_key(partition), told, mine):
            self._values[partition] = mine

    async def _give_up(self, partition: int) -> None:
        value = self._values.pop(partition)
        await self._swap(owner_key(partition), value, b"")

    async def _swap(self, key: str, expected: bytes | None, value: bytes) -> bool:
        return await self._kv.compare_and_set(key, expected, value, None, self._clock.now_ms())

    async def release(self) -> None:
        """Give everything up, so that others need not wait for the lease to run out."""
        for partition in sorted(self._values):
            await self._give_up(partition)
        await self._kv.delete(PRESENT + self._holder)


def owner_key(partition: int) -> str:
    """Return the key of a partition's owner."""
    return f"{_OWNER}{partition}"


async def owners(kv: IKVStore, now_ms: int) -> dict[int, str]:
    """Return partition to holder, for those that are owned."""
    told = await kv.scan(ORCHESTRATORS, now_ms)
    return _owners(told, _present(told, now_ms))


def _present(told: Mapping[str, bytes], now_ms: int) -> frozenset[str]:
    return frozenset(sign["holder"] for sign in read_signs(told, PRESENT) if holds(sign, now_ms))


def _owners(told: Mapping[str, bytes], present: frozenset[str]) -> dict[int, str]:
    found = {}
    for key, value in told.items():
        if key.startswith(_OWNER) and value:
            claim: dict[str, Any] = orjson.loads(value)
            if claim["holder"] in present:
                found[int(key.removeprefix(_OWNER))] = claim["holder"]
    return found
