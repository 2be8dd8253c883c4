"""The document says what the door does: nothing sent by its rules makes the server fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from stagewright.entrypoints.api.app import routed
from stagewright.entrypoints.api.openapi import document
from stagewright.entrypoints.api.server import address_of, bind, serving
from tests.unit.entrypoints.api.served import TOKEN, furnish, served

EXAMPLES = 7
SIGN_IN = "/api/v1/session"
ENDLESS = "GET /api/v1/events"
"""A stream that ends with its reader; it has tests of its own."""
RULED = {
    "POST /api/v1/workflows": "a header and a field must agree",
    "POST /api/v1/workflows/bulk": "either names or a filter, and not an empty one",
    "POST /api/v1/dead-letters/bulk": "discarding needs a reason",
    "POST /api/v1/definitions": "a definition must make sense",
    "POST /api/v1/keys": "a key needs a scope, or an agent to work as",
    **{
        f"GET /api/v1/{place}": "positions are those that were handed out"
        for place in ("workflows/{workflow_id}/events",)
    },
    **{
        f"POST /api/v1/tasks/{{workflow_id}}/{{stage}}/{{visit}}/{{attempt}}/{action}": (
            "no integer beyond 64 bit"
        )
        for action in ("complete", "fail", "release", "events")
    },
    **{
        f"POST /api/v1/workflows/{{workflow_id}}/{action}": "no integer beyond 64 bit"
        for action in ("retry", "signal", "approve", "reject")
    },
}
"""Operations with rules that their schema does not say: what fits it may be refused."""
KEY = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def standing() -> AsyncIterator[str]:
    """A real server; its address."""
    async with served() as here:
        await furnish(here.world)
        listener = bind(0)
        async with serving(here.app, listener):
            yield address_of(listener)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(standing()) as where:
        yield where


SCHEMA = schemathesis.openapi.from_dict(document(routed()))
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - {ENDLESS}))
def test_the_server_keeps_to_its_document(address: str, operation: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[operation].as_strategy())
    def tried(case: Case) -> None:
        excluded = [positive_data_acceptance] if operation in RULED else []
        case.call_and_validate(base_url=address, headers=KEY, excluded_checks=excluded)

    tried()


async def test_every_operation_is_described() -> None:
    async with served() as here:
        found = (await here.http.get("/api/v1/openapi.json")).json()
    assert found["openapi"].startswith("3.1")
    operations = [
        (method, path, operation)
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 40
    for method, path, operation in operations:
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert "4XX" in operation["responses"], (method, path)
        needs_key = path.startswith("/api/") and (method, path) != ("post", SIGN_IN)
        assert ("security" in operation) == needs_key, (method, path)
