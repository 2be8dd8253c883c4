"""Keys and sessions as services and browsers use them: two servers that share one Redis."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx2
import pytest

from tests.processes import Member, Place, until

SYSTEM, SESSION = "/api/v1/system", "/api/v1/session"
CANCEL = "/api/v1/workflows/p00-0192f0c4a3b27e518c2a5d7e9f00aa11/cancel"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Site:
    """Two servers, and a browser at each."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.members = [self.serve("one"), self.serve("two")]

    def serve(self, name: str) -> Member:
        return self.place.start(name, "serve", "--port", str(free_port()))

    def browser(self, number: int) -> httpx2.Client:
        address = self.members[number].announced["address"]
        return httpx2.Client(base_url=address, trust_env=False)

    def key(self, *scopes: str) -> tuple[str, str]:
        given = [word for scope in scopes for word in ("--scope", scope)]
        made = self.place.cli("key", "create", "bob", *given, "--json").json
        return made["secret"], made["key_id"]


@pytest.fixture
def site(shared: Place) -> Iterator[Site]:
    yield Site(shared)
    shared.close()


def test_a_session_goes_from_server_to_server_and_ends_with_its_key(site: Site) -> None:
    """It outlives the kill of the server that made it; the audit tells of all that was tried."""
    assert "stagewright key create" in site.members[0].log
    secret, key_id = site.key("read")
    with site.browser(0) as first:
        assert first.get(SYSTEM).status_code == 401
        assert first.post(SESSION, json={"key": secret}).status_code == 201
        cookies = dict(first.cookies)
    site.members[0].kill()
    with site.browser(1) as second:
        second.cookies.update(cookies)
        who = second.get(SESSION).json()
        assert (who["name"], second.get(SYSTEM).status_code) == ("bob", 200)
        assert second.post(CANCEL).status_code == 403
        proof = {"x-csrf-token": who["csrf_token"]}
        assert (
            second.post(CANCEL, headers=proof).json()["detail"] == "bob lacks the scope 'operate'."
        )
        site.place.cli("key", "revoke", key_id)
        until(lambda: second.get(SESSION).status_code == 401)
    told = site.place.cli("audit", "--json").json["entries"]
    assert [(e["actor"], e["action"], e["outcome"]) for e in told] == [
        ("ann", "key.revoke", "done"),
        ("bob", "POST", "refused"),
        ("ann", "key.create", "done"),
    ]
    logs = "".join(member.log for member in site.members)
    assert not [one for one in (secret, who["csrf_token"], *cookies.values()) if one in logs]
