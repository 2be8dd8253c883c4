from __future__ import annotations

import resource
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import httpx2
import pytest

from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.queries import HttpQueries
from stagewright.domain.errors import ConfigurationError, Unreachable
from stagewright.entrypoints.api import bounds, lines
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.server import address_of, allow_many_readers, bind, serving
from stagewright.ports.views import WorkflowView
from tests.unit.entrypoints.fakes import ID, FakeControl, door_of, view


async def test_the_door_answers_on_loopback_while_it_is_open() -> None:
    control = FakeControl()
    listener = bind(0)
    address = address_of(listener)
    app = create_app(door_of(control, "t"))
    async with serving(app, listener), open_door(address, "t") as client:
        assert await HttpQueries(client).show(ID) == view()
    async with open_door(address, "t") as client:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            await HttpQueries(client).show(ID)


async def test_signals_stay_with_the_owner() -> None:

    before = signal.getsignal(signal.SIGTERM)
    control = FakeControl()
    listener = bind(0)
    async with serving(create_app(door_of(control, "t")), listener):
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert (await http.get(address_of(listener))).status_code == 401
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_port_that_is_taken_is_named() -> None:
    with bind(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port: {port} cannot be used"):
            bind(port)


@pytest.fixture
async def slow_ends_soon(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[socket.socket]:
    """A door whose patience is a tenth of a second."""
    monkeypatch.setattr(lines, "HEAD_S", 0.1)
    monkeypatch.setattr(bounds, "BODY_S", 0.1)
    control, listener = FakeControl(), bind(0)
    async with serving(create_app(door_of(control, "t")), listener):
        yield listener


async def said(listener: socket.socket, first: bytes, *, then: bytes = b"") -> bytes:
    """Send something, then `then` again and again until the server hangs up; return its answer."""
    async with await anyio.connect_tcp("127.0.0.1", listener.getsockname()[1]) as stream:
        heard = bytearray()

        async def listening(scope: anyio.CancelScope) -> None:
            with suppress(anyio.BrokenResourceError):
                async for piece in stream:
                    heard.extend(piece)
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(listening, group.cancel_scope)
            with suppress(anyio.BrokenResourceError):
                await stream.send(first)
                while then:
                    await stream.send(then)
                    await anyio.sleep(0.01 if len(then) < 100 else 0)
            await anyio.sleep_forever()
    return bytes(heard)


HEAD = b"POST /api/v1/workflows HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"GET /api/v1/sys", b""),
        (b"GET /api/v1/system HTTP/1.1\r\n", b"X"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n", b"X"),
    ],
    ids=["silence", "half a line", "headers that trickle", "a second request that trickles"],
)
async def test_a_request_that_never_comes_is_not_waited_for(
    slow_ends_soon: socket.socket, first: bytes, then: bytes
) -> None:
    with anyio.fail_after(20):
        heard = await said(slow_ends_soon, first, then=then)
    assert heard.count(b"HTTP/1.1 401") == (1 if b"\r\n\r\n" in first else 0)


async def test_a_body_that_trickles_hears_so_and_hurts_nobody(
    slow_ends_soon: socket.socket,
) -> None:
    answers: list[bytes] = []

    async def trickle() -> None:
        head = HEAD + b"Content-Length: 100000\r\n\r\n"
        answers.append(await said(slow_ends_soon, head, then=b"x"))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group, httpx2.AsyncClient(trust_env=False) as http:
            for _ in range(20):
                group.start_soon(trickle)
            headers = {"authorization": "Bearer t", "connection": "close"}
            address = f"{address_of(slow_ends_soon)}/api/v1/system"
            for _ in range(20):
                assert (await http.get(address, headers=headers)).status_code == 200
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 408"] * 20


@pytest.mark.parametrize(
    "head",
    [HEAD + b"Content-Length: 1000000000\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["announced", "chunked"],
)
async def test_a_body_of_a_gigabyte_is_refused_while_it_comes(
    slow_ends_soon: socket.socket, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(bounds, "BODY_S", 60.0)
    piece = b"x" * 65_536
    if b"chunked" in head:
        piece = b"10000\r\n" + piece + b"\r\n"
    with anyio.fail_after(20):
        heard = await said(slow_ends_soon, head, then=piece)
    assert heard.startswith(b"HTTP/1.1 413")
    assert b"the limit is 1048576" in heard


async def test_a_long_request_is_not_taken_for_a_slow_one(
    slow_ends_soon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(_: FakeControl, workflow_id: str, wait_s: float) -> WorkflowView:
        del workflow_id
        await anyio.sleep(wait_s)
        return view()

    monkeypatch.setattr(FakeControl, "ended", ended)
    async with httpx2.AsyncClient(trust_env=False) as http:
        headers = {"authorization": "Bearer t"}
        address = f"{address_of(slow_ends_soon)}/api/v1/workflows/{ID}?wait_s=0.5"
        assert (await http.get(address, headers=headers)).status_code == 200


async def test_whoever_reads_only_after_sending_all_hears_why_it_was_refused(
    slow_ends_soon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BODY_S", 60.0)
    monkeypatch.setattr(bounds, "DRAIN_S", 60.0)
    size = 8 * bounds.BODY_LIMIT_BYTES
    with anyio.fail_after(60):
        port = slow_ends_soon.getsockname()[1]
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            assert (await stream.receive()).startswith(b"HTTP/1.1 413")


def test_a_server_may_hold_as_many_connections_as_the_machine_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
    try:
        allow_many_readers()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
