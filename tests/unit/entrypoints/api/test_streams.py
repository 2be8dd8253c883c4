"""Streams end when whoever opened them may not come in any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

from stagewright.domain.errors import Unauthorized, Unreachable
from stagewright.entrypoints.api import streams
from stagewright.entrypoints.api.bounds import Message
from stagewright.entrypoints.api.guard import Guard
from stagewright.entrypoints.api.rules import Rules
from stagewright.ports.keys import KeyView
from tests.unit.entrypoints.api.house import scope_of_request


class Gate:
    """Admits so many times, and then says something else."""

    def __init__(self, times: int, then: Exception | None = None) -> None:
        self.left, self.then = times, then

    async def by_secret(self, secret: str) -> KeyView | None:
        self.left -= 1
        if self.left >= 0:
            return KeyView(key_id="k", name=secret, scopes=("read",), created_at_ms=0)
        if self.then is not None:
            raise self.then
        return None

    async def by_session(self, token: str) -> None:
        raise AssertionError(token)


PIECES = 30


def endless() -> FastAPI:
    """An application whose stream tells how it ended."""
    app = FastAPI()
    app.state.ended = []

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces(app))

    @app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        async for piece in pieces(app):
            await socket.send_text(piece)
        await socket.close()

    return app


async def pieces(app: FastAPI) -> AsyncIterator[str]:
    try:
        for number in range(PIECES):
            yield f"{number} "
            await asyncio.sleep(0)
        app.state.ended.append("whole")
    except BaseException as error:
        app.state.ended.append(type(error).__name__)
        raise


async def told(app: FastAPI, gate: Gate, method: str, path: str) -> list[Message]:
    """Return all that was sent, as the gate admits its caller again with each piece."""
    guard = Guard(app, gate, Rules(), lambda _: False)  # type: ignore[arg-type]
    headers = {"host": "localhost", "authorization": "Bearer k"}
    sent: list[Message] = []
    first = {"type": "websocket.connect"} if method == "WEBSOCKET" else {"type": "http.request"}
    waiting = [first]

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(20):
        await guard(scope_of_request(method, path, headers), receive, send)
    return sent


@pytest.fixture(autouse=True)
def _asked_with_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "AGAIN_S", 0.0)


async def test_a_stream_ends_when_its_key_is_over() -> None:
    app = endless()
    sent = await told(app, Gate(10), "GET", "/stream")
    assert b"".join(m.get("body", b"") for m in sent).split()[-1] == b"8"
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert app.state.ended == ["CancelledError"]
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_a_socket_is_closed_when_its_key_is_over() -> None:
    app = endless()
    sent = await told(app, Gate(10), "WEBSOCKET", "/socket")
    assert [m["type"] for m in sent].count("websocket.send") == 9
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)


async def test_a_stream_whose_key_stays_in_force_comes_whole() -> None:
    app = endless()
    sent = await told(app, Gate(1_000), "GET", "/stream")
    assert len(b"".join(m.get("body", b"") for m in sent).split()) == PIECES
    assert app.state.ended == ["whole"]


async def test_a_store_that_is_away_ends_no_stream() -> None:
    app = endless()
    await told(app, Gate(5, Unreachable("Redis")), "GET", "/stream")
    assert app.state.ended == ["whole"]


async def test_whoever_cancels_the_server_is_not_held_up() -> None:
    async def cancelled(send: object) -> None:
        del send
        raise asyncio.CancelledError

    async def refuse() -> None:
        raise Unauthorized

    with pytest.raises(asyncio.CancelledError):
        await streams.Streaming(refuse, print).run(cancelled)  # type: ignore[arg-type]
