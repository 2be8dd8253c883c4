"""A whole server over a backend in memory, its keys, and requests as bytes would make them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from stagewright.application.control import Control
from stagewright.application.keys import PREFIX as KEY_PREFIX
from stagewright.application.keys import fingerprint
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.bounds import App
from stagewright.entrypoints.api.door import door_over
from stagewright.entrypoints.api.rules import Rules
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.entrypoints.web.app import mount
from stagewright.ports.audit import AuditEntry, AuditQuery
from stagewright.ports.keys import KeyRequest, KeyView, NewKey

TOKEN = "owners-token-for-this-house"
HOST = "127.0.0.1:4000"
HANGS_S = 20.0
"""A refusal comes at once; what has not answered by then was let in, and waits for something."""


@dataclass
class Answer:
    """What one request was answered."""

    status: int | None
    """None: nothing yet, which only those see who were let in."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def refused(self) -> bool:
        return self.status in {401, 403}

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class House:
    """One server."""

    app: App
    control: Control

    async def key(self, *scopes: str, name: str = "ann", **given: Any) -> NewKey:
        request = {"name": name, "scopes": scopes, **given}
        return await self.control.access.keys.create(KeyRequest.model_validate(request))

    async def expired_key(self) -> str:
        secret = KEY_PREFIX + "expired".ljust(43, "x")
        view = KeyView(
            key_id="old", name="old", scopes=("admin",), created_at_ms=1, expires_at_ms=2
        )
        body = view.model_dump_json(exclude={"revoked"}).encode()
        registry = self.control.backend.registry
        await registry.put_if_absent("key", "old", "old", fingerprint(secret), body, 1)
        return secret

    async def revoked_key(self) -> str:
        made = await self.key("admin", name="gone")
        await self.control.access.keys.revoke(made.key_id)
        return made.secret

    async def audit(self) -> list[AuditEntry]:
        return (await self.control.access.audit.page(AuditQuery(limit=1_000))).entries

    async def ask(
        self,
        method: str,
        path: str,
        *,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        only_head: bool = False,
    ) -> Answer:
        """Send one request; `body` as JSON, bytes as they are. What streams has a head only."""
        given = {"host": HOST, **(headers or {})}
        if bearer is not None:
            given["authorization"] = f"Bearer {bearer}"
        sent = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        if body is not None:
            given.setdefault("content-type", "application/json")
            given.setdefault("content-length", str(len(sent)))
        scope = scope_of_request(method, path, given)
        return await answer_of(self.app, scope, sent, only_head=only_head)

    async def signed_in(self, secret: str) -> tuple[str, str]:
        """Open a session; return its `Cookie` header and its CSRF token."""
        answer = await self.ask("POST", "/api/v1/session", body={"key": secret})
        assert answer.status == 201, answer.body
        return answer.headers["set-cookie"].partition(";")[0], answer.json["csrf_token"]


@asynccontextmanager
async def house(rules: Rules | None = None, url: str = "memory://") -> AsyncIterator[House]:
    async with opened(Settings(url=url)) as container:
        control = container.control()
        door = door_over(container, TOKEN, rules or Rules())
        yield House(create_app(door, mount), control)


def scope_of_request(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the ASGI scope of a request, or of a WebSocket when the method is `WEBSOCKET`."""
    place, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": place,
        "raw_path": place.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 4_000),
    }
    if method == "WEBSOCKET":
        del scope["method"]
        extensions: dict[str, Any] = {"websocket.http.response": {}}
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": [], "extensions": extensions}
    return scope


async def answer_of(
    app: App, scope: dict[str, Any], body: bytes = b"", *, only_head: bool = False
) -> Answer:
    """Run the application until its answer has ended (or its head), or goes on for too long."""
    answer, ended = Answer(None), asyncio.Event()
    first = (
        {"type": "websocket.connect"}
        if scope["type"] == "websocket"
        else {"type": "http.request", "body": body, "more_body": False}
    )
    pending: list[dict[str, Any]] = [first]

    async def receive() -> Any:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop()

    async def send(message: Any) -> None:
        if _hear(answer, message) or (only_head and answer.status is not None):
            ended.set()

    task = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
    waiter = asyncio.create_task(ended.wait())
    await asyncio.wait({task, waiter}, timeout=HANGS_S, return_when=asyncio.FIRST_COMPLETED)
    for one in (task, waiter):
        one.cancel()
        with suppress(asyncio.CancelledError):
            await one
    return answer


def _hear(answer: Answer, message: Any) -> bool:
    """Write down a message of the application; whether it was the last."""
    kind = message["type"]
    if kind.endswith("response.start"):
        answer.status = message["status"]
        pairs = [(k.decode(), v.decode("latin-1")) for k, v in message["headers"]]
        answer.headers = dict(pairs)
    elif kind.endswith("response.body"):
        answer.body += message.get("body", b"")
        return not message.get("more_body", False)
    elif kind == "websocket.accept":
        answer.status = 101
    elif kind == "websocket.close":
        answer.status = answer.status or 403
    return kind in {"websocket.accept", "websocket.close"}
