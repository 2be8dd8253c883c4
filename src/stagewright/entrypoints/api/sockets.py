"""The messages of live events over WebSockets, one stream for each connection."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from stagewright.adapters.http.problems import encode_problem
from stagewright.application.feed_told import Chunk, Message
from stagewright.application.feed_words import closed
from stagewright.domain.errors import StagewrightError
from stagewright.entrypoints.api import sse
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.events import Id, TheChosen, TheFollowed
from stagewright.entrypoints.api.lines import keep_small, transport_of
from stagewright.ports.live import HEARTBEAT

log = structlog.get_logger(__name__)

router = APIRouter(tags=["events"])

_OVER, _REFUSED, _AGAIN = 1000, 1008, 1012
_NULL = b"null"


def text_of(message: Message) -> bytes:
    """Return a message as `{"id", "event", "data"}`; neither id nor event need escapes."""
    id_ = _NULL if message.id is None else f'"{message.id}"'.encode()
    body = message.body or b"{}"
    return b'{"id":' + id_ + f',"event":"{message.event}","data":'.encode() + body + b"}"


@router.websocket("/events/ws", dependencies=[needs(Scope.READ)])
async def events(socket: WebSocket, followed: TheFollowed) -> None:
    """Follow all workflows; parameters as for server-sent events."""
    live = socket.app.state.door.live
    await _serve(socket, live.chunks(followed.wanted(), followed.after))


@router.websocket("/workflows/{workflow_id}/events/ws", dependencies=[needs(Scope.READ)])
async def workflow_events(socket: WebSocket, workflow_id: Id, chosen: TheChosen) -> None:
    """Follow one workflow; parameters as for server-sent events."""
    live = socket.app.state.door.live
    await _serve(socket, live.workflow_chunks(workflow_id, chosen.after, chosen.wanted()))


async def _serve(socket: WebSocket, chunks: sse.Chunks) -> None:
    """Send chunks until they end, the reader goes away or it stalls."""
    transport = transport_of(socket.scope)
    keep_small(transport)
    await socket.accept()
    sending = asyncio.ensure_future(_send_all(socket, chunks))
    leaving = asyncio.ensure_future(_left(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    except TimeoutError:
        log.info("reader_stalled", path=socket.url.path, deadline_s=sse.SEND_DEADLINE_S)
        if transport is not None:
            transport.abort()
    except WebSocketDisconnect:
        pass
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait({sending, leaving})
        await chunks.aclose()


async def _send_all(socket: WebSocket, chunks: sse.Chunks) -> None:
    begun, code = False, _OVER
    try:
        async for chunk in chunks:
            begun = True
            await _send(socket, chunk)
            code = _AGAIN if any(one.event == "closed" for one in chunk.messages) else _OVER
    except StagewrightError as error:
        code = _AGAIN if begun else _REFUSED
        told = closed("failed", "") if begun else Message("problem", encode_problem(error))
        await _send(socket, Chunk([told]))
    async with asyncio.timeout(sse.SEND_DEADLINE_S):
        await socket.close(code)


async def _send(socket: WebSocket, chunk: Chunk) -> None:
    for message in chunk.messages:
        if message.event == HEARTBEAT and message.id is None:
            continue  # the protocol's own pings serve
        async with asyncio.timeout(sse.SEND_DEADLINE_S):
            await socket.send_text(text_of(message).decode())


async def _left(socket: WebSocket) -> None:
    """Return when the reader has gone; what it says meanwhile is not listened to."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
