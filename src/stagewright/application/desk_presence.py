"""Signs of life of agents that come over HTTP: told while they poll and while they hold leases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import structlog

from stagewright.application.signs import AGENTS, give_sign
from stagewright.domain.errors import StagewrightError
from stagewright.ports.agent_desk import HOLDER_PREFIX, PresenceRequest
from stagewright.ports.kv_store import IKVStore
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

EVERY_S = 5.0
LASTS_S = 15.0
MOST = 10_000


@dataclass(slots=True)
class Known:
    """What this server knows of one holder."""

    started_at_ms: int
    told_at_ms: int = 0
    until_ms: int = 0
    """It is believed to live so long, for what it was given."""
    polls: int = 0
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)


class Attendance:
    """Keeps the keys of those who are alive; whoever falls silent is forgotten."""

    def __init__(self, kv: IKVStore, clock: IClock) -> None:
        self._kv, self._clock = kv, clock
        self._known: dict[str, Known] = {}

    async def arrives(self, holder: str, agent: str, facts: dict[str, Any]) -> None:
        """A poll begins; it is told at once when it was not told lately."""
        now_ms = self._clock.now_ms()
        known = self._known.get(holder)
        if known is None and len(self._known) >= MOST:
            return
        known = known or self._known.setdefault(holder, Known(now_ms))
        fresh = known.agents.get(agent) != facts
        known.agents[agent] = facts
        known.polls += 1
        if fresh or now_ms - known.told_at_ms >= EVERY_S * 1_000:
            await self._tell(holder, known)

    def departs(self, holder: str, until_ms: int) -> None:
        """A poll has ended; what it was given keeps the holder alive until an instant."""
        known = self._known.get(holder)
        if known is not None:
            known.polls -= 1
            self.holds(holder, until_ms)

    def holds(self, holder: str, until_ms: int) -> None:
        """A lease was given or renewed."""
        known = self._known.get(holder)
        if known is not None:
            known.until_ms = max(known.until_ms, until_ms)

    async def present(self, holder: str, sign: PresenceRequest) -> None:
        """Pass on the sign of life of a process that tells by itself."""
        now_ms = self._clock.now_ms()
        facts = sign.model_dump(exclude={"next_s", "lasts_s"})
        await give_sign(
            self._kv, _key(holder), facts,
            next_s=sign.next_s, lasts_s=sign.lasts_s, now_ms=now_ms,
        )  # fmt: skip

    async def leave(self, holder: str) -> None:
        """Pass on a goodbye."""
        await self._kv.delete(_key(holder))

    async def run(self) -> None:
        """Say again and again who is alive."""
        while True:
            await self._clock.sleep(EVERY_S)
            await self._tell_all()

    async def _tell_all(self) -> None:
        now_ms = self._clock.now_ms()
        for holder, known in list(self._known.items()):
            if known.polls or known.until_ms > now_ms:
                await self._tell(holder, known)
            elif known.told_at_ms + LASTS_S * 1_000 <= now_ms:
                del self._known[holder]

    async def _tell(self, holder: str, known: Known) -> None:
        known.told_at_ms = now_ms = self._clock.now_ms()
        facts = {
            "host": "",
            "pid": 0,
            "started_at_ms": known.started_at_ms,
            "agents": known.agents,
        }
        try:
            await give_sign(
                self._kv, _key(holder), facts, next_s=EVERY_S, lasts_s=LASTS_S, now_ms=now_ms
            )
        except StagewrightError as error:
            log.warning("presence_not_told", holder=holder, error=str(error))


def _key(holder: str) -> str:
    return AGENTS + HOLDER_PREFIX + holder
