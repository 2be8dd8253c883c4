"""Listens for hints: that there may be work, or that a workflow was cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from stagewright.application.patience import FIRST_DELAY_S, MOST_DELAY_S
from stagewright.application.runner_claims import Claims
from stagewright.application.runner_roster import Roster
from stagewright.application.withdrawal import CANCEL
from stagewright.domain.errors import StagewrightError
from stagewright.ports.message_bus import IMessageBus, Topic
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)


class Hints:
    """Hints carry no authority: whoever hears one asks the queue."""

    def __init__(
        self,
        bus: IMessageBus,
        clock: IClock,
        roster: Roster,
        claims: Claims,
        doubt: Callable[[str], Awaitable[None]],
    ) -> None:
        self._bus, self._clock, self._claims, self._doubt = bus, clock, claims, doubt
        self._lanes = frozenset(lane.encode() for lane in roster.by_lane)

    async def run(self) -> None:
        """Listen for ever; a subscription that breaks is made anew."""
        delay_s = FIRST_DELAY_S
        while True:
            try:
                async with self._bus.subscribe(Topic.WAKE) as messages:
                    self._claims.hint()  # for what came before anyone listened
                    async for message in messages:
                        delay_s = FIRST_DELAY_S
                        if message.body in self._lanes:
                            self._claims.hint()
                        elif message.body == CANCEL:
                            await self._doubt(message.workflow_id)
            except StagewrightError as error:
                log.warning("hints_not_heard", retry_in_s=delay_s, error=str(error))
            await self._clock.sleep(delay_s)
            delay_s = min(delay_s * 2, MOST_DELAY_S)
