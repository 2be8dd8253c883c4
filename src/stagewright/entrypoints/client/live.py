"""Following what happens, across servers that come and go."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing
from typing import Any, TypedDict, Unpack

import anyio

from stagewright.domain.errors import Unreachable, UsageError, listing
from stagewright.entrypoints.client.patience import Patience
from stagewright.entrypoints.client.session import Session
from stagewright.entrypoints.connections import Connection
from stagewright.ports.live import HEARTBEAT, LiveMessage, Wanted

CLOSED = "closed"
IDLE_S = 1.0
"""A file is let go of for a moment when nothing happened for so long."""
PAUSE_S = 0.25

Open = Callable[[Connection, str | None], AsyncGenerator[LiveMessage]]


class Choice(TypedDict, total=False):
    """What is told of all workflows; all that is given must hold."""

    workflow_ids: Collection[str]
    definition: str | None
    """Name of the definition."""
    label: tuple[str, str] | None
    kinds: Collection[str]
    """Such as `STAGE_COMPLETE`."""
    statuses: Collection[str]
    """Only events that leave their workflow in one of these."""
    notes: bool
    """Also what agents log, call and store: yes, unless said otherwise."""
    deltas: bool
    """Also text as agents stream it: only when said so."""


class Live(Session):
    """Follow events; connections that break are made again, behind the last event that came."""

    async def events(
        self, *, after: str | None = None, **choice: Unpack[Choice]
    ) -> AsyncIterator[LiveMessage]:
        """Yield what happens in all workflows behind a position, from now on without one.

        Each event comes once. `gap` says that something is missing, and a `snapshot` follows it.
        For filters see `Choice`. Raise Unreachable when nobody answers for a while.
        """
        wanted = _wanted(choice)
        following = self._followed(lambda to, last: to.live.events(wanted, last), after)
        async with aclosing(following):
            async for message in following:
                yield message

    async def follow_events(
        self,
        workflow_id: str,
        *,
        kinds: Collection[str] = (),
        notes: bool = True,
        deltas: bool = True,
        after: str | None = None,
    ) -> AsyncIterator[LiveMessage]:
        """Yield what happens in one workflow, from its beginning or behind a position, to its end.

        The last message is `end`. Raise NotFound, and Unreachable when nobody answers for a while.
        """
        wanted = Wanted(kinds=frozenset(kinds), notes=notes, deltas=deltas)
        following = self._followed(
            lambda to, last: to.live.workflow_events(workflow_id, last, wanted), after
        )
        async with aclosing(following):
            async for message in following:
                yield message
                if message.event == "end":
                    return

    async def _followed(self, open_: Open, after: str | None) -> AsyncGenerator[LiveMessage]:
        """Follow until a stream says that it is over; connect again when it breaks off."""
        last, patience, over = after, Patience(None), False
        while not over:
            try:
                async with self._reached() as connection, aclosing(open_(connection, last)) as now:
                    while (message := await _next(now, passing=connection.passing)) is not None:
                        patience.answered()
                        last = message.id or last
                        if message.event == CLOSED:
                            break
                        if message.event != HEARTBEAT:
                            yield message
                    over = message is None
            except Unreachable:
                patience.bear()
            await anyio.sleep(0 if over else PAUSE_S)


def _wanted(choice: Choice) -> Wanted:
    unknown = set(choice) - set(Choice.__annotations__)
    if unknown:
        known = listing(Choice.__annotations__, limit=50)
        raise UsageError(f"No filter {listing(unknown)}.", remedy=f"Known: {known}.")
    sets = {"workflow_ids", "kinds", "statuses"}
    given: dict[str, Any] = {
        name: frozenset(value) if name in sets else value  # type: ignore[call-overload]
        for name, value in choice.items()
    }
    return Wanted(**given)


async def _next(messages: AsyncGenerator[LiveMessage], *, passing: bool) -> LiveMessage | None:
    """Return the next message, None when there are no more.

    Where the connection keeps others away, it is closed as soon as nothing comes for a while.
    """
    with anyio.move_on_after(IDLE_S if passing else None) as waiting:
        return await anext(messages, None)
    assert waiting.cancelled_caught  # noqa: S101 - what else leads here
    return LiveMessage(CLOSED, {})
