"""An assistant, played by the protocol's own client, starts and watches workflows."""

from __future__ import annotations

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.processes import STAGEWRIGHT, Place

FLOW = """
from pydantic import BaseModel
from stagewright import Workflow, agent, approval, stage

class Topic(BaseModel):
    about: str

@agent("write")
async def write(task: Topic) -> str:
    return f"All about {task.about}"

draft = stage("draft", agent=write)
review = approval("review", approvers=["ann"], show={"text": draft.output})
article = Workflow("article", draft, review, input=Topic)
"""
LOOKS = {
    "list_definitions",
    "show_definition",
    "start_workflow",
    "get_workflow",
    "wait_for_workflow",
    "explain_workflow",
    "list_approvals",
}


@pytest.fixture
async def article(place: Place) -> Place:
    """A place with a workflow that writes and waits for ann."""
    place.write("article.py", FLOW)
    await anyio.to_thread.run_sync(lambda: place.start("dev", "dev", "article.py"))
    return place


def assistant(place: Place, *options: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=str(STAGEWRIGHT), args=["mcp", *options], env=place.env, cwd=place.folder
    )


async def call(client: Client, tool: str, **arguments: object) -> dict[str, object]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def until_it_waits(client: Client, workflow_id: str) -> dict[str, object]:
    with anyio.fail_after(30):
        while True:
            found = await call(client, "list_approvals")
            for one in found["approvals"]:  # type: ignore[attr-defined]
                if one["workflow_id"] == workflow_id:
                    return dict(one)
            await anyio.sleep(0.1)


async def test_an_assistant_starts_watches_and_explains(article: Place) -> None:
    async with Client(assistant(article)) as client:
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == LOOKS
        (definition,) = (await call(client, "list_definitions"))["definitions"]  # type: ignore[misc]
        assert definition["name"] == "article"
        given = {"definition": "article", "input": {"about": "tea"}, "key": "tea"}
        started = await call(client, "start_workflow", **given)
        assert started["created"]
        assert not (await call(client, "start_workflow", **given))["created"]
        id_ = str(started["workflow_id"])
        await until_it_waits(client, id_)
        view = await call(client, "wait_for_workflow", workflow_id=id_, timeout_s=0.2)
        assert view["stage_outputs"] == {"draft": "All about tea"}
        (waiting,) = (await call(client, "explain_workflow", workflow_id=id_))["waiting"]  # type: ignore[misc]
        assert waiting["owner"] == "ann"


async def test_what_goes_wrong_is_told_with_what_to_do(article: Place) -> None:
    async with Client(assistant(article)) as client:
        result = await client.call_tool("get_workflow", {"workflow_id": "p00-none"})
        assert result.is_error
        assert "stagewright workflow list" in str(result.content)
        wrong = {"definition": "article", "input": {"about": 3}}
        result = await client.call_tool("start_workflow", wrong)
        assert "about" in str(result.content)
        result = await client.call_tool("decide_approval", {"workflow_id": "p00-none"})
        assert result.is_error  # there is no such tool


async def test_an_assistant_decides_only_where_a_person_allowed_it(article: Place) -> None:
    async with Client(assistant(article, "--allow-decisions", "--as", "ann")) as client:
        started = await call(
            client, "start_workflow", definition="article", input={"about": "coffee"}
        )
        id_ = str(started["workflow_id"])
        shown = await until_it_waits(client, id_)
        detail: dict[str, object] = shown["detail"]  # type: ignore[assignment]
        said = {"workflow_id": id_, "decision": "approve", "stage": "review"}
        stale = await client.call_tool("decide_approval", {**said, "shown_hash": "0" * 64})
        assert stale.is_error
        await call(client, "decide_approval", **said, shown_hash=detail["shown_hash"])
        view = await call(client, "wait_for_workflow", workflow_id=id_)
        assert view["status"] == "completed"
        assert view["output"]["decision"] == "approved"  # type: ignore[index]


async def test_over_http_only_the_token_comes_in(article: Place) -> None:
    served = await anyio.to_thread.run_sync(lambda: article.start("mcp", "mcp", "--http"))
    address, token = served.announced["address"], served.announced["token"]
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
        async with Client(streamable_http_client(address, http_client=http)) as client:
            assert (await call(client, "list_definitions"))["definitions"]
        for changed in ({"authorization": "Bearer wrong"}, {"host": "evil.example"}):
            answer = await http.post(address, headers=changed, json={})
            assert answer.status_code in {401, 421}
