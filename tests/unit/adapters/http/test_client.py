"""What a lost call means depends on whether it may have arrived."""

from __future__ import annotations

import httpx2
import pytest

from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.commands import HttpCommands
from stagewright.adapters.http.dead_letters import HttpDeadLetters
from stagewright.adapters.http.queries import HttpQueries
from stagewright.adapters.system.identifiers import SystemIdentifiers
from stagewright.domain.errors import NotFound, OutcomeUnknown, StagewrightError, Unreachable
from stagewright.ports.control import StartRequest

ADDRESS = "http://127.0.0.1:4000"


def failing(error: type[httpx2.TransportError]) -> httpx2.MockTransport:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise error("lost", request=request)

    return httpx2.MockTransport(fail)


@pytest.mark.parametrize(
    "error", [httpx2.ReadError, httpx2.ReadTimeout, httpx2.RemoteProtocolError]
)
async def test_a_change_that_was_lost_after_sending_may_have_been_executed(
    error: type[httpx2.TransportError],
) -> None:
    async with open_door(ADDRESS, "t", failing(error)) as client:
        with pytest.raises(OutcomeUnknown, match="Reload and compare"):
            await HttpCommands(client, SystemIdentifiers()).start(StartRequest(definition="x"))


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ConnectTimeout])
async def test_a_change_that_never_left_is_only_unreachable(
    error: type[httpx2.TransportError],
) -> None:
    async with open_door(ADDRESS, "t", failing(error)) as client:
        with pytest.raises(Unreachable) as caught:
            await HttpCommands(client, SystemIdentifiers()).start(StartRequest(definition="x"))
    assert type(caught.value) is Unreachable


async def test_a_look_that_was_lost_is_only_unreachable() -> None:
    async with open_door(ADDRESS, "t", failing(httpx2.ReadError)) as client:
        with pytest.raises(Unreachable) as caught:
            await HttpQueries(client).system()
    assert type(caught.value) is Unreachable


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"'])
async def test_an_answer_that_is_no_problem_document_is_still_an_error(body: bytes) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(500, content=body))
    async with open_door(ADDRESS, "t", transport) as client:
        with pytest.raises(StagewrightError, match="HTTP status 500"):
            await HttpQueries(client).system()


async def test_an_id_with_odd_characters_stays_one_part_of_the_path() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.raw_path.decode())
        return httpx2.Response(404, content=b"{}")

    async with open_door(ADDRESS, "t", httpx2.MockTransport(answer)) as client:
        with pytest.raises(NotFound):
            await HttpQueries(client).show("../system?x=1")
        assert await HttpDeadLetters(client).read("a/b") is None
        assert not await HttpDeadLetters(client).redrive("a/b", b"{}", 1)
    assert seen[0] == "/api/v1/workflows/..%2Fsystem%3Fx%3D1"
    assert seen[1] == "/api/v1/dead-letters/a%2Fb"


async def test_the_token_travels_and_nothing_does_without_one() -> None:
    seen: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("authorization"))
        return httpx2.Response(404, content=b"{}")

    for token in ("sesame", ""):
        async with open_door(ADDRESS, token, httpx2.MockTransport(answer)) as client:
            with pytest.raises(NotFound):
                await HttpQueries(client).system()
    assert seen == ["Bearer sesame", None]
