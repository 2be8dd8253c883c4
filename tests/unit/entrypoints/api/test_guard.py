"""The guard: names, origins, development mode, bounds, and what all answers say to browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from fastapi import FastAPI, Request, Response

from stagewright.application.gate import TokenGate
from stagewright.entrypoints.api import bounds
from stagewright.entrypoints.api.bounds import BODY_LIMIT_BYTES, HEADERS_LIMIT, Message
from stagewright.entrypoints.api.guard import Guard
from stagewright.entrypoints.api.rules import LOOPBACK_NAMES, Rules
from tests.unit.entrypoints.api.house import (
    TOKEN,
    Answer,
    House,
    answer_of,
    house,
    scope_of_request,
)

SYSTEM = "/api/v1/system"
START = "/api/v1/workflows"
OWN = "http://127.0.0.1:4000"


@pytest.fixture
async def served() -> AsyncIterator[House]:
    async with house() as opened:
        yield opened


@pytest.fixture
async def dev() -> AsyncIterator[House]:
    async with house(Rules(development=True)) as opened:
        yield opened


async def test_in_development_whoever_sits_at_the_machine_needs_no_key(dev: House) -> None:
    assert (await dev.ask("GET", SYSTEM)).status == 200
    assert (await dev.ask("POST", START, body={"definition": "x"})).status == 404
    who = (await dev.ask("GET", "/api/v1/session")).json
    assert (who["name"], who["scopes"]) == ("developer", ["admin"])


@pytest.mark.parametrize(
    "sent",
    [
        {"host": "rebound.example:4000"},
        {"host": "127.0.0.1.rebound.example"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://localhost:4000"},
        {"origin": "null"},
        {"origin": "file://127.0.0.1:4000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("GET", SYSTEM), ("POST", START)])
async def test_in_development_no_foreign_page_reads_or_does_anything(
    dev: House, sent: dict[str, str], method: str, path: str
) -> None:
    answer = await dev.ask(method, path, headers=sent)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


async def test_in_development_a_foreign_page_gets_no_leave_to_try(dev: House) -> None:
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    answer = await dev.ask("OPTIONS", START, headers=asked)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("sent", [{"origin": OWN}, {"sec-fetch-site": "same-origin"}], ids=str)
async def test_in_development_its_own_pages_may_change_things(
    dev: House, sent: dict[str, str]
) -> None:
    assert (await dev.ask("POST", START, headers=sent, body={"definition": "x"})).status == 404


async def test_in_development_a_change_that_no_page_sends_is_refused(dev: House) -> None:
    sent = {"sec-fetch-site": "none"}
    assert (await dev.ask("POST", START, headers=sent)).status == 403
    assert (await dev.ask("GET", SYSTEM, headers=sent)).status == 200


async def test_in_development_a_wrong_key_is_still_wrong(dev: House) -> None:
    assert (await dev.ask("GET", SYSTEM, bearer="wrong")).status == 401


async def test_a_socket_needs_what_a_request_needs(served: House, dev: House) -> None:
    async def opened(at: House, **headers: str) -> Answer:
        return await at.ask("WEBSOCKET", "/api/v1/nowhere", headers=headers)

    cookie, _ = await served.signed_in(TOKEN)
    assert (await opened(served)).status == 401
    assert (await opened(served, cookie=cookie)).headers["content-type"].endswith("problem+json")
    assert (await opened(served, cookie=cookie, origin="http://evil.example")).status == 403
    assert (await opened(dev, origin="http://evil.example")).status == 403
    assert (await opened(dev, host="evil.example")).status == 403


async def test_a_link_from_elsewhere_shows_a_page_but_calls_nothing() -> None:
    followed = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    async with house(Rules(development=True)) as dev:
        assert (await dev.ask("GET", "/page", headers=followed)).status == 404
        assert (await dev.ask("POST", "/page", headers=followed)).status == 403
        assert (await dev.ask("GET", SYSTEM, headers=followed)).status == 403


async def test_a_browser_without_session_is_shown_where_to_sign_in() -> None:
    page = {"accept": "text/html,*/*"}
    async with house(Rules(sign_in="/sign-in")) as served:
        answer = await served.ask("GET", "/workflows", headers=page)
        assert (answer.status, answer.headers["location"]) == (303, "/sign-in")
        assert (await served.ask("GET", SYSTEM, headers=page)).status == 401


async def test_other_names_are_answered_to_when_they_are_named() -> None:
    names = LOOPBACK_NAMES | {"flows.example"}
    async with house(Rules(hosts=names)) as served:
        for host, origin in (("flows.example", "https://flows.example"), ("FLOWS.example:443", "")):
            headers = {"host": host, **({"origin": origin} if origin else {})}
            assert (await served.ask("GET", SYSTEM, bearer=TOKEN, headers=headers)).status == 200
        wrong = {"host": "flows.example", "origin": "https://evil.example"}
        assert (await served.ask("GET", SYSTEM, bearer=TOKEN, headers=wrong)).status == 403


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-encoding": "gzip"}, b"\x1f\x8b", 415),
        ({"content-encoding": "identity"}, b"{}", 422),
        ({"content-length": str(10**12)}, b"", 413),
        ({"content-length": "-1"}, b"", 413),
        ({}, b"[" * 100 + b"]" * 100, 413),
        ({"content-type": "application/cloudevents+json"}, b'{"a":' * 65 + b"1" + b"}" * 65, 413),
        ({}, b'"' + b"x" * BODY_LIMIT_BYTES + b'"', 413),
        ({}, orjson.dumps({"definition": "[" * 150}), 404),
    ],
    ids=str,
)
async def test_bodies_are_bounded(
    served: House, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await served.ask("POST", START, bearer=TOKEN, headers=headers, body=body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_came_whole_is_refused_at_once(
    served: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "DRAIN_S", 600.0)
    answer = await served.ask("POST", START, bearer=TOKEN, body=b"[" * 65 + b"]" * 65)
    assert answer.status == 413


async def test_headers_are_bounded(served: House) -> None:
    many = {f"x-{number}": "1" for number in range(HEADERS_LIMIT)}
    assert (await served.ask("GET", SYSTEM, bearer=TOKEN, headers=many)).status == 413
    long = {"x-long": "x" * 40_000}
    assert (await served.ask("GET", SYSTEM, bearer=TOKEN, headers=long)).status == 413


async def test_a_body_that_trickles_is_given_up(
    served: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BODY_S", 0.05)
    sent = {"host": "localhost", "authorization": f"Bearer {TOKEN}", "content-length": "9"}
    scope = scope_of_request("POST", START, sent)
    answers: list[Message] = []
    pieces = iter([b"{"])

    async def receive() -> Message:
        piece = next(pieces, None)
        if piece is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Message) -> None:
        answers.append(message)

    await served.app(scope, receive, send)
    assert answers[0]["status"] == 408
    assert (b"connection", b"close") in answers[0]["headers"]


async def test_every_answer_tells_browsers_to_keep_out(served: House) -> None:
    for answer in (
        await served.ask("GET", SYSTEM, bearer=TOKEN),
        await served.ask("GET", SYSTEM),
        await served.ask("GET", SYSTEM, headers={"host": "evil.example"}),
        await served.ask("GET", "/api/v1/nowhere", bearer=TOKEN),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; frame-a")


async def test_a_page_has_a_nonce_of_its_own_and_allows_nothing_else() -> None:
    pages = FastAPI()

    @pages.get("/")
    def page(request: Request) -> Response:
        return Response(request.state.csp_nonce, media_type="text/html")

    guard = Guard(pages, TokenGate(), Rules(), lambda _: True)
    asked = scope_of_request("GET", "/", {"host": "localhost"})
    seen = [await answer_of(guard, dict(asked)) for _ in range(2)]
    nonces = {answer.body.decode() for answer in seen}
    assert len(nonces) == 2
    for answer in seen:
        policy = answer.headers["content-security-policy"]
        assert f"script-src 'nonce-{answer.body.decode()}';" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "*" not in policy


async def test_files_may_be_kept_by_browsers_but_answers_of_the_interface_never() -> None:
    app = FastAPI()

    @app.get("/static/a.js")
    @app.get("/api/v1/a")
    def kept() -> Response:
        return Response("", headers={"cache-control": "max-age=60"})

    guard = Guard(app, TokenGate(), Rules(), lambda _: True)
    for path, wanted in (("/static/a.js", "max-age=60"), ("/api/v1/a", "no-store")):
        answer = await answer_of(guard, scope_of_request("GET", path, {"host": "localhost"}))
        assert answer.headers["cache-control"] == wanted
