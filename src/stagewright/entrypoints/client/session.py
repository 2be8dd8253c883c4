"""What all parts of the client share: the way to the use cases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from stagewright.domain.errors import UsageError, ValidationFailed
from stagewright.domain.places import At
from stagewright.entrypoints.connections import Connection, Sessions, connected
from stagewright.entrypoints.settings import Settings, load_settings

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Session:
    """Opens the way on entering, closes it on leaving, and calls through it."""

    def __init__(
        self, url: str | None = None, *, namespace: str | None = None, token: str | None = None
    ) -> None:
        self._flags: Mapping[str, Any] = {"url": url, "namespace": namespace, "token": token}
        self._settings: Settings | None = None
        self._sessions: Sessions | None = None
        self._stack = AsyncExitStack()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a client for settings that were loaded before."""
        client = cls()
        client._settings = settings
        return client

    @classmethod
    def over(cls, sessions: Sessions) -> Self:
        """Return an open client over a connection that somebody else opened and closes."""
        client = cls()
        client._sessions = sessions
        return client

    async def __aenter__(self) -> Self:
        if self._sessions is None:
            settings = self._settings or load_settings(self._flags).settings
            self._sessions = await self._stack.enter_async_context(connected(settings))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._sessions = None
        await self._stack.aclose()

    async def _call(self, use: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._reached() as connection:
            return await use(connection)

    def _reached(self) -> AbstractAsyncContextManager[Connection]:
        if self._sessions is None:
            raise UsageError(
                "This client is not open.", remedy="Write `async with Stagewright(url) as sw:`."
            )
        return self._sessions()


def request_of(kind: type[M], values: Mapping[str, Any]) -> M:
    """Build a request; ValidationFailed that names the fields."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = [At.field(e["loc"], e["msg"]) for e in error.errors()]
        raise ValidationFailed("The request cannot be used.", problems=lines) from error
