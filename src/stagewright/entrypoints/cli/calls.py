"""One call to wherever workflows live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from stagewright.entrypoints.cli.flags import load

if TYPE_CHECKING:
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.entrypoints.settings import Settings

T = TypeVar("T")


def open_client(settings: Settings) -> Stagewright:
    """Return the client of a command; tests put theirs here."""
    from stagewright.entrypoints.client.stagewright import Stagewright

    return Stagewright.of(settings)


def ask(url: str | None, use: Callable[[Stagewright], Awaitable[T]]) -> T:
    """Connect, let `use` do its work, and return what it gives."""
    import anyio

    settings = load(url=url).settings

    async def asked() -> T:
        async with open_client(settings) as client:
            return await use(client)

    return anyio.run(asked)
