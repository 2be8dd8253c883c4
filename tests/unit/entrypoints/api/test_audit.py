"""What the interface writes down of changes, and that no secret is ever among it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest

from stagewright.application.keys import fingerprint
from stagewright.entrypoints.logging import configure_logging
from tests.unit.entrypoints.api.house import TOKEN, House, house

KEYS = "/api/v1/keys"
AUDIT = "/api/v1/audit"
START = "/api/v1/workflows"
UNKNOWN = "p00-0192f0c4a3b27e518c2a5d7e9f00aa11"


@pytest.fixture
async def served() -> AsyncIterator[House]:
    async with house() as opened:
        yield opened


async def test_a_key_is_made_used_and_revoked_over_http(served: House) -> None:
    asked = {"name": "bob", "scopes": ["read", "agent:build"], "expires_s": 3_600}
    made = await served.ask("POST", KEYS, bearer=TOKEN, body=asked)
    assert (made.status, made.json["agents"]) == (201, ["build"])
    secret, key_id = made.json["secret"], made.json["key_id"]
    assert (await served.ask("GET", "/api/v1/system", bearer=secret)).status == 200
    (listed,) = (await served.ask("GET", KEYS, bearer=TOKEN)).json
    assert "secret" not in listed
    gone = await served.ask("DELETE", f"{KEYS}/{key_id}", bearer=TOKEN)
    assert (gone.status, gone.json["revoked"]) == (200, True)
    assert (await served.ask("GET", "/api/v1/system", bearer=secret)).status == 401
    assert [(e.actor, e.door, e.action) for e in await served.audit()] == [
        ("owner", "api", "key.revoke"),
        ("owner", "api", "key.create"),
    ]


async def test_a_change_is_written_down_in_the_name_of_the_key(served: House) -> None:
    key = await served.key("operate")
    answer = await served.ask("POST", f"{START}/{UNKNOWN}/cancel", bearer=key.secret)
    assert answer.status == 404
    (entry,) = await served.audit()
    assert (entry.actor, entry.key_id) == ("ann", key.key_id)
    assert (entry.action, entry.target, entry.outcome) == ("workflow.cancel", UNKNOWN, "refused")


async def test_what_is_forbidden_is_written_down_and_what_is_only_read_is_not(
    served: House,
) -> None:
    key = await served.key("start")
    assert (await served.ask("GET", "/api/v1/system", bearer=key.secret)).status == 403
    path = f"{START}/{UNKNOWN}/cancel"
    assert (await served.ask("POST", path, bearer=key.secret)).status == 403
    (entry,) = await served.audit()
    assert (entry.action, entry.target, entry.outcome) == ("POST", path, "refused")
    assert entry.detail == "ann lacks the scope 'operate'."


async def test_the_audit_is_read_page_by_page_with_filters(served: House) -> None:
    for number in range(5):
        asked = {"name": f"k{number}", "scopes": ["read"]}
        await served.ask("POST", KEYS, bearer=TOKEN, body=asked)
    first = (await served.ask("GET", f"{AUDIT}?limit=3&action=key.create", bearer=TOKEN)).json
    cursor = first["cursor"]
    rest = (await served.ask("GET", f"{AUDIT}?limit=3&cursor={cursor}", bearer=TOKEN)).json
    names = [e["after"]["name"] for e in first["entries"] + rest["entries"]]
    assert names == ["k4", "k3", "k2", "k1", "k0"]
    assert (await served.ask("GET", f"{AUDIT}?cursor=nonsense", bearer=TOKEN)).status == 422


CANARIES = [f"canary{number:02d}".ljust(43, "x") for number in range(20)]


async def test_no_secret_stands_in_logs_answers_or_the_audit(served: House) -> None:
    """Twenty of them: keys that were made, keys that are none, cookies, proofs, tokens."""
    log = io.StringIO()
    configure_logging("debug", "json", log)
    seen: list[bytes] = []
    secrets = list(CANARIES)
    for number, canary in enumerate(CANARIES):
        made = await served.key("read", name=f"n{number}")
        cookie, csrf = await served.signed_in(made.secret)
        secrets += [made.secret, cookie.partition("=")[2], csrf]
        for headers in (
            {"authorization": f"Bearer {canary}"},
            {"authorization": f"Bearer sw_{canary}"},
            {"authorization": canary},
            {"cookie": f"stagewright_session={canary}"},
            {"cookie": cookie, "x-csrf-token": canary},
            {"authorization": f"Bearer {made.secret}"},
            {"authorization": f"Bearer {TOKEN}"},
        ):
            for method, path in (("GET", AUDIT), ("POST", START), ("POST", "/api/v1/nowhere")):
                answer = await served.ask(method, path, headers=headers, body={})
                seen += [answer.body, repr(answer.headers).encode()]
        answer = await served.ask("POST", "/api/v1/session", body={"key": canary})
        seen += [answer.body, repr(answer.headers).encode()]
        answer = await served.ask("POST", "/api/v1/session", body={"key": [canary]})
        seen += [answer.body]
    seen += [repr(await served.audit()).encode(), log.getvalue().encode()]
    everything = b"\n".join(seen)
    found = [secret for secret in [*secrets, TOKEN] if secret.encode() in everything]
    assert found == []
    assert fingerprint(secrets[-1]).encode() not in everything
