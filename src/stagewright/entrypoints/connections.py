"""How a client reaches the place where workflows live.

A server is reached directly, an HTTP address through its door. A SQLite file belongs to one
process: while somebody owns it, the way leads through that owner's door; else the client owns the
file for the length of one call, so that `dev` can take it at any moment.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from stagewright.adapters.http.audit import HttpAudit
from stagewright.adapters.http.bulk import HttpBulk
from stagewright.adapters.http.catalogue import HttpCatalogue
from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.commands import HttpCommands
from stagewright.adapters.http.dead_letters import HttpDeadLetters
from stagewright.adapters.http.details import HttpDetails
from stagewright.adapters.http.keys import HttpKeys
from stagewright.adapters.http.letter_desk import HttpLetterDesk
from stagewright.adapters.http.live import HttpLive
from stagewright.adapters.http.queries import HttpQueries
from stagewright.adapters.system.identifiers import SystemIdentifiers
from stagewright.domain.errors import OwnedElsewhere, UsageError
from stagewright.entrypoints.addresses import DOOR, MEMORY, SQLITE, scheme_of
from stagewright.entrypoints.open_doors import door_of
from stagewright.entrypoints.settings import Settings
from stagewright.ports.audit import IAuditReader
from stagewright.ports.bulk import IBulk
from stagewright.ports.catalogue import ICatalogue
from stagewright.ports.control import ICommands, IQueries
from stagewright.ports.dead_letters import IDeadLetters
from stagewright.ports.details import IDetails
from stagewright.ports.keys import IKeys
from stagewright.ports.letter_desk import ILetterDesk
from stagewright.ports.live import ILive

if TYPE_CHECKING:
    from stagewright.application.actor import Actor
    from stagewright.application.control import Control

OWNER_WAIT_S = 10.0
_OWNER_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Connection:
    """The use cases, wherever they run."""

    commands: ICommands
    queries: IQueries
    dead_letters: IDeadLetters
    details: IDetails
    catalogue: ICatalogue
    letter_desk: ILetterDesk
    bulk: IBulk
    live: ILive
    keys: IKeys | None = None
    """None, as the next one, inside a process that runs workflows for itself alone."""
    audit: IAuditReader | None = None
    passing: bool = False
    """It keeps others from a file as long as it lasts."""


Sessions = Callable[[], AbstractAsyncContextManager[Connection]]
"""Returns the use cases for one call."""


def connection_of(
    control: Control, actor: Actor | None = None, *, passing: bool = False
) -> Connection:
    """Return the use cases over a backend of this process.

    Changes are made in an actor's name and written down; without one, the program acts for itself.
    """
    if actor is None:
        return Connection(
            control.commands,
            control.queries,
            control.dead_letters,
            control.details,
            control.catalogue,
            control.letter_desk,
            control.bulk,
            control.live,
            passing=passing,
        )
    acting = control.acting(actor)
    return Connection(
        acting.commands,
        control.queries,
        acting.dead_letters,
        control.details,
        control.catalogue,
        acting.letter_desk,
        acting.bulk,
        control.live,
        acting.keys,
        control.access.audit,
        passing,
    )


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Sessions]:
    """Open the way to the URL of the settings; what must stay open does until the block is left."""
    scheme = scheme_of(settings.url)
    if scheme == MEMORY:
        raise UsageError(
            "memory:// lives inside one process and cannot be reached from another.",
            remedy="Use sqlite:///PATH or redis://..., or `Workflow.run` inside one process.",
        )
    if scheme == SQLITE:
        yield functools.partial(_file_session, settings)
        return
    token = settings.token.get_secret_value() if settings.token is not None else ""
    reach = _door(settings.url, token) if scheme in DOOR else _direct(settings)
    async with reach as connection:
        yield lambda: nullcontext(connection)


@asynccontextmanager
async def _file_session(settings: Settings) -> AsyncIterator[Connection]:
    """Go through the owner's door, or own the file while the call lasts.

    An owner without a door is one that just starts, or another client's call: it is waited for.
    """
    async with AsyncExitStack() as stack:
        door = door_of(settings.url)
        if door is not None and await _answers(door.address):
            yield await stack.enter_async_context(_door(*door))
        else:
            yield await _reached(settings, stack)


async def _reached(settings: Settings, stack: AsyncExitStack) -> Connection:
    from stagewright.entrypoints.container import opened
    from stagewright.entrypoints.user import user_of_process

    end = time.monotonic() + OWNER_WAIT_S
    while True:
        try:
            container = await stack.enter_async_context(opened(settings))
        except OwnedElsewhere as owned:
            if owned.address and owned.token and await _answers(owned.address):
                return await stack.enter_async_context(_door(owned.address, owned.token))
            if time.monotonic() > end:
                raise
        else:
            return connection_of(container.control(), user_of_process(), passing=True)
        await anyio.sleep(_OWNER_POLL_S)


async def _answers(address: str) -> bool:
    """Whether somebody listens there: an owner that stops closes its door before its file."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    try:
        stream = await anyio.connect_tcp(host.strip("[]"), int(port))
    except (OSError, ValueError):
        return False
    await stream.aclose()
    return True


@asynccontextmanager
async def _direct(settings: Settings) -> AsyncIterator[Connection]:
    from stagewright.entrypoints.container import opened
    from stagewright.entrypoints.user import user_of_process

    async with opened(settings) as container:
        yield connection_of(container.control(), user_of_process())


@asynccontextmanager
async def _door(address: str, token: str) -> AsyncIterator[Connection]:
    async with open_door(address, token) as client:
        yield Connection(
            HttpCommands(client, SystemIdentifiers()),
            HttpQueries(client),
            HttpDeadLetters(client),
            HttpDetails(client),
            HttpCatalogue(client),
            HttpLetterDesk(client),
            HttpBulk(client),
            HttpLive(client),
            HttpKeys(client),
            HttpAudit(client),
        )
