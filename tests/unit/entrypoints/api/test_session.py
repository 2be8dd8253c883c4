"""A browser's session: how it is made, what the cookie says, and that it lives on other servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagewright.entrypoints.api.credentials import csrf_of, session_in
from tests.unit.entrypoints.api.house import TOKEN, House, answer_of, house, scope_of_request

PATH = "/api/v1/session"
KEYS = "/api/v1/keys"


@pytest.fixture
async def served() -> AsyncIterator[House]:
    async with house() as opened:
        yield opened


async def test_a_key_opens_a_session_that_scripts_and_other_sites_cannot_use(
    served: House,
) -> None:
    key = await served.key("read", "start", groups=("editors",))
    answer = await served.ask("POST", PATH, body={"key": key.secret})
    assert answer.status == 201
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"]
    assert (answer.json["name"], answer.json["scopes"]) == ("ann", ["read", "start"])
    assert answer.json["groups"] == ["editors"]
    assert key.secret not in name


async def test_over_https_the_cookie_stays_there(served: House) -> None:
    scope = scope_of_request(
        "POST", PATH, {"host": "localhost", "content-type": "application/json"}
    )
    scope["headers"].append((b"content-length", b"42"))
    body = b'{"key": "%s"}' % TOKEN.encode()
    answer = await answer_of(served.app, {**scope, "scheme": "https"}, body)
    assert answer.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("key", ["sw_" + "x" * 43, "", "x" * 300, 7])
async def test_what_is_no_key_opens_none(served: House, key: object) -> None:
    answer = await served.ask("POST", PATH, body={"key": key})
    assert answer.status in {401, 422}
    assert "set-cookie" not in answer.headers
    assert b"x" * 43 not in answer.body


async def test_a_session_says_who_it_is_and_what_proves_its_page(served: House) -> None:
    cookie, csrf = await served.signed_in((await served.key("read")).secret)
    answer = await served.ask("GET", PATH, headers={"cookie": f"other=1; {cookie}; more=2"})
    assert (answer.json["name"], answer.json["csrf_token"]) == ("ann", csrf)
    shown = await served.ask("GET", PATH, bearer=TOKEN)
    assert (shown.json["name"], shown.json["csrf_token"]) == ("owner", None)


async def test_the_proof_of_one_session_is_none_for_another(served: House) -> None:
    first, _ = await served.signed_in(TOKEN)
    _, other = await served.signed_in(TOKEN)
    headers = {"cookie": first, "x-csrf-token": other}
    answer = await served.ask("POST", KEYS, headers=headers, body={"name": "b", "scopes": ["read"]})
    assert answer.status == 403
    assert "csrf_token" in answer.json["remedy"]
    assert not await served.control.access.keys.list()


async def test_signing_out_ends_it_and_takes_the_cookie_back(served: House) -> None:
    cookie, csrf = await served.signed_in(TOKEN)
    answer = await served.ask("DELETE", PATH, headers={"cookie": cookie, "x-csrf-token": csrf})
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await served.ask("GET", PATH, headers={"cookie": cookie})).status == 401


async def test_a_session_outlives_the_server_that_made_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with house(url=url) as first:
        cookie, _ = await first.signed_in((await first.key("read")).secret)
    async with house(url=url) as second:
        assert (await second.ask("GET", PATH, headers={"cookie": cookie})).status == 200


async def test_a_key_beats_a_cookie_and_a_wrong_key_is_not_helped_by_one(served: House) -> None:
    cookie, _ = await served.signed_in(TOKEN)
    key = (await served.key("read", name="bob")).secret
    answer = await served.ask("GET", PATH, bearer=key, headers={"cookie": cookie})
    assert answer.json["name"] == "bob"
    wrong = await served.ask("GET", PATH, bearer="wrong", headers={"cookie": cookie})
    assert wrong.status == 401


@pytest.mark.parametrize(
    "cookie",
    ["", "stagewright_session=", "stagewright_session=short", "a" * 9_000, "stagewright_session"],
)
def test_what_is_no_session_is_not_looked_for(cookie: str) -> None:
    assert session_in({b"cookie": cookie.encode()}) is None


def test_the_proof_does_not_tell_the_session() -> None:
    assert csrf_of("a" * 43) != csrf_of("b" * 43)
    assert "a" * 43 not in csrf_of("a" * 43)
