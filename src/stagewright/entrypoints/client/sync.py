"""The synchronous client, generated from the asynchronous one: each method runs in a portal."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from stagewright.domain.errors import UsageError
from stagewright.entrypoints.client.stagewright import Stagewright as _Asynchronous


class _Portal:
    """An event loop in a thread of its own, with an asynchronous client inside."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._client = _Asynchronous(*args, **kwargs)
        self._portal: BlockingPortal | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(portal.wrap_async_context_manager(self._client))
            self._stack = stack.pop_all()
        self._portal = portal
        return self

    def __exit__(self, *exc: object) -> None:
        self._portal = None
        self._stack.close()

    def _run(self, call: Callable[[], Any]) -> Any:
        if self._portal is None:
            raise UsageError(
                "This client is not open.", remedy="Write `with Stagewright(url) as sw:`."
            )
        return self._portal.call(call)

    def _each(self, views: AsyncIterator[Any]) -> Iterator[Any]:
        ended = object()
        while (view := self._run(functools.partial(anext, views, ended))) is not ended:
            yield view


def _twin_of(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: _Portal, /, *args: Any, **kwargs: Any) -> Any:
        bound = functools.partial(method, self._client, *args, **kwargs)
        return self._each(bound()) if inspect.isasyncgenfunction(method) else self._run(bound)

    call.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return call


def _generated() -> type[Any]:
    methods = {
        name: _twin_of(member)
        for name, member in inspect.getmembers(_Asynchronous, inspect.isfunction)
        if not name.startswith("_")
        and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
    }
    doc = (_Asynchronous.__doc__ or "").replace("`async with", "`with")
    body = {"__doc__": doc, "__module__": "stagewright.sync", **methods}
    return type("Stagewright", (_Portal,), body)


Stagewright = _generated()
