"""`stagewright doctor` on a server that is set up badly, as whoever looks after it meets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from stagewright.testing.servers import RedisServer
from tests.processes import Place

LIBRARY = "#!lua name=stagewright_0badcafe\nredis.register_function('f', function() return 1 end)"
FLOW = """\
from stagewright import Workflow, wait

flow = Workflow("flow", wait("pause", signal="go"))
"""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.fixture
def plain(server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(server.url, protocol=2) as connection:
        yield connection


@pytest.fixture
def place(tmp_path: Path, server: RedisServer) -> Iterator[Place]:
    opened = Place(tmp_path, server.url)
    yield opened
    opened.close()


def named(place: Place) -> dict[str, Any]:
    return {found["check"]: found for found in place.cli("doctor", "--json", code=1).json}


def test_everything_that_endangers_workflows_is_named_with_a_remedy(
    place: Place, plain: Redis
) -> None:
    plain.config_set("maxmemory", "1gb")
    plain.config_set("maxmemory-policy", "allkeys-lru")
    plain.function_load(LIBRARY)
    findings = named(place)
    status = {check: findings[check]["status"] for check in findings}
    assert status["memory policy"] == status["durability"] == status["orchestrators"] == "failed"
    assert status["functions"] == status["agents"] == "warning"
    assert all(found["remedy"] for found in findings.values() if found["status"] != "ok")
    lines = place.cli("doctor", code=1).out.splitlines()
    assert "✗ memory policy: maxmemory-policy allkeys-lru may evict workflows" in lines
    assert all(line.startswith(("✓ ", "! ", "✗ ", "  → ")) for line in lines)


def test_a_server_without_memory_refuses_a_start_and_doctor_says_why(
    place: Place, plain: Redis
) -> None:
    place.write("flows.py", FLOW)
    place.cli("definition", "register", "flows.py")
    plain.config_set("maxmemory", 1)
    refused = place.cli("workflow", "start", "flow", "--json", code=6).problem
    assert (refused["status"], refused["type"]) == (503, "urn:stagewright:error:store-full")
    assert "maxmemory" in refused["remedy"]
    assert named(place)["space"]["status"] == "failed"
    plain.config_set("maxmemory", 0)
    place.cli("workflow", "start", "flow")
    assert "space" not in named(place)
