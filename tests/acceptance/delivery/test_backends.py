"""All shipped requests at once through the engine, on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.delivery.http_client import send
from examples.delivery.workflow import delivery
from stagewright import Stagewright
from stagewright.ports.views import WorkflowView
from stagewright.testing.servers import RedisServer
from tests.acceptance.delivery.driver import shipped

SHIPPED = ("hello-world", "todo", "notes-search", "contact-form", "impossible")
SECOND_ROUND = {"notes-search": "e2e", "contact-form": "validation"}
LIMIT_S = 120


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "redis":
        with RedisServer() as server:
            yield server.url
    else:
        yield "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'state.db'}"


async def delivered(client: Stagewright, name: str) -> WorkflowView:
    request = shipped(name)
    started = await client.start(
        "delivery", request.model_dump(mode="json"), priority=request.priority_level
    )
    return await client.wait(started.workflow_id, timeout_s=LIMIT_S)


def rounds(view: WorkflowView) -> dict[str, int]:
    return {stage.name: stage.visit for stage in view.stages}


@pytest.mark.usefixtures("home")
async def test_the_shipped_requests_are_delivered_on(url: str) -> None:
    async with delivery.embedded(url=url) as client:
        views = await asyncio.gather(*(delivered(client, name) for name in SHIPPED))
    for name, view in zip(SHIPPED[:-1], views, strict=False):
        assert view.status == "completed", view.errors
        assert send(view.output["address"], "GET", "/health").status == 200
        assert rounds(view)["scaffolding"] == (2 if name in SECOND_ROUND else 1)
    impossible = views[-1]
    assert impossible.status == "failed"
    (error,) = impossible.stages[0].errors
    assert (error["type"], impossible.stages[0].attempt) == ("RequestRefused", 1)
    assert "endpoints[1].path" in error["message"]
