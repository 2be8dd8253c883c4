"""Says who is alive and what they serve."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from stagewright.application.runner_roster import Roster
from stagewright.application.signs import AGENTS, give_sign
from stagewright.domain.errors import StagewrightError
from stagewright.ports.kv_store import IKVStore
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process a runner is."""

    holder: str
    """Unique among living processes."""
    host: str = ""
    pid: int = 0


class Presence:
    """A sign of life that is given again and again while the runner lives."""

    def __init__(
        self, kv: IKVStore, clock: IClock, identity: Identity, roster: Roster, *,
        every_s: float, ttl_s: float,
    ) -> None:  # fmt: skip
        self._kv, self._clock, self._identity, self._roster = kv, clock, identity, roster
        self._every_s, self._ttl_s = every_s, ttl_s
        self._key = AGENTS + identity.holder
        self._started_at_ms = clock.now_ms()

    async def tell(self) -> None:
        """Say so now."""
        facts = {
            "host": self._identity.host,
            "pid": self._identity.pid,
            "started_at_ms": self._started_at_ms,
            "agents": self._roster.to_json(),
        }
        await give_sign(
            self._kv, self._key, facts,
            next_s=self._every_s, lasts_s=self._ttl_s, now_ms=self._clock.now_ms(),
        )  # fmt: skip

    async def run(self) -> None:
        """Say so again and again."""
        while True:
            await self._clock.sleep(self._every_s)
            try:
                await self.tell()
            except StagewrightError as error:
                log.warning("presence_not_told", error=str(error))

    async def leave(self) -> None:
        """Say goodbye, so that nobody waits for the sign to run out."""
        await self._kv.delete(self._key)
