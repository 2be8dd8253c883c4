"""Pages and actions through the whole application, with use cases that only remember."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from fastapi.routing import APIRoute

from stagewright.domain.errors import ConfigurationError, Refused
from stagewright.entrypoints.api.access import scope_of
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.web import app as web
from stagewright.entrypoints.web.assets import assets
from stagewright.ports.stage_details import StageDetail
from tests.unit.entrypoints.fakes import ID, FakeControl, door_of, letter, view

TOKEN = "open-sesame"
PARTIAL = {"hx-request": "true", "hx-request-type": "partial"}


class FakeDetails:
    async def stage(self, _workflow_id: str, stage: str) -> StageDetail:
        return StageDetail(name=stage, kind="agent", agent="plan@^1", input=b'{"a":1}')

    async def values(self, _workflow_id: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: b'{"b":2}' for key in keys if key == "known"}


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
async def http(control: FakeControl) -> AsyncIterator[httpx2.AsyncClient]:
    door = replace(door_of(control, TOKEN), stage_details=FakeDetails())
    transport = httpx2.ASGITransport(app=create_app(door, web.mount), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(
        base_url="http://127.0.0.1:1", transport=transport, headers=headers
    ) as client:
        yield client


PAGES = [
    "/",
    "/workflows",
    f"/workflows/{ID}",
    f"/workflows/{ID}?tab=diagram",
    f"/workflows/{ID}?tab=events&stage=plan",
    "/approvals",
    "/definitions",
    "/definitions/release",
    "/definitions/release/start",
    "/agents",
    "/dead-letters",
    "/dead-letters/p01-7",
    "/system",
    "/sign-in",
]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_one_heading_and_nothing_inline(
    http: httpx2.AsyncClient, control: FakeControl, path: str
) -> None:
    control.letters["p01-7"] = letter()
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.text.count("<h1") == 1
    assert not re.search(r'\son\w+="|\sstyle="|<style|hx-on|"js:', answer.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    for script in re.findall(r"<script[^>]*>", answer.text):
        assert "nonce=" in script


@pytest.mark.parametrize("path", [p for p in PAGES if p != "/sign-in"])
async def test_a_script_gets_the_main_part_alone(
    http: httpx2.AsyncClient, control: FakeControl, path: str
) -> None:
    control.letters["p01-7"] = letter()
    answer = await http.get(path, headers=PARTIAL)
    assert "<html" not in answer.text
    assert "<h1" in answer.text


async def test_what_a_workflow_waits_for_is_on_its_page(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    queued = view().waiting[0].model_copy(update={"detail": {"live_agents": 0}})
    control.views[ID] = view(waiting=[queued])
    page = (await http.get(f"/workflows/{ID}")).text
    assert "no live agent of build@^1" in page
    assert "stagewright agent run MODULE" in page


async def test_a_command_is_sent_and_told(http: httpx2.AsyncClient, control: FakeControl) -> None:
    form = {"reason": "enough", "by": "ann"}
    answer = await http.post(f"/ui/workflows/{ID}/cancel", data=form, headers=PARTIAL)
    assert "9f00aa11 cancelled." in answer.text
    assert "sw:done" in answer.headers["hx-trigger"]
    what, request = control.calls[-1]
    assert (what, request.kind, request.reason) == (f"command {ID}", "cancel", "enough")
    assert request.by == "ann"


async def test_a_refusal_stands_in_the_dialog(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    control.refusal = Refused("it has ended", remedy="Look at it.")
    headers = {**PARTIAL, "hx-target": "div#dialog-problem"}
    answer = await http.post(f"/ui/workflows/{ID}/pause", data={}, headers=headers)
    assert answer.status_code == 409
    assert "it has ended" in answer.text
    assert "hx-retarget" not in answer.headers


async def test_without_a_dialog_a_refusal_is_a_message(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    control.refusal = Refused("no")
    answer = await http.get(f"/ui/workflows/{ID}/dialog/pause", headers=PARTIAL)
    assert (answer.status_code, answer.headers["hx-retarget"]) == (409, "#toasts")


async def test_a_bulk_action_says_to_how_many(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    answer = await http.post("/ui/bulk/cancel", data={"workflow": [ID, ID]}, headers=PARTIAL)
    assert "2 workflows cancelled." in answer.text
    control.refusal = Refused("it has ended")
    answer = await http.post("/ui/bulk/pause", data={"workflow": [ID]}, headers=PARTIAL)
    assert "1 refused: 9f00aa11: it has ended" in answer.text
    assert (await http.post("/ui/bulk/explode", data={"workflow": [ID]})).status_code == 400


async def test_a_start_leads_to_its_workflow(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    form = {"way": "json", "whole": '{"a": 1}', "key": "k", "labels": "team=web, env=x"}
    answer = await http.post("/ui/definitions/release/start", data=form, headers=PARTIAL)
    assert answer.headers["hx-redirect"] == f"/workflows/{ID}"
    _, request = control.calls[-1]
    assert (request.input, request.key) == ({"a": 1}, "k")
    assert request.labels == {"team": "web", "env": "x"}


async def test_a_start_that_is_refused_names_the_fields(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    form = {"way": "form", "input": "{"}
    answer = await http.post("/ui/definitions/release/start", data=form, headers=PARTIAL)
    assert answer.status_code == 422
    assert 'data-field="f-input"' in answer.text
    del control


async def test_a_letter_is_put_back_as_edited_or_as_it_was(
    http: httpx2.AsyncClient, control: FakeControl
) -> None:
    for body, sent in (("{}", b"{}"), ('{"broken"', None)):
        control.letters["p01-7"] = letter()
        await http.post("/ui/dead-letters/p01-7/redrive", data={"body": body}, headers=PARTIAL)
        assert control.calls[-1] == ("redrive", ("p01-7", sent))


async def test_an_unknown_page_is_told_as_a_page_and_an_unknown_address_of_the_api_as_data(
    http: httpx2.AsyncClient,
) -> None:
    page, data = await http.get("/nothing"), await http.get("/api/v1/nothing")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert data.headers["content-type"] == "application/problem+json"


async def test_a_value_is_read_by_its_key(http: httpx2.AsyncClient) -> None:
    answer = await http.get(f"/ui/workflows/{ID}/value?key=known")
    assert "&#34;b&#34;: 2" in answer.text
    assert (await http.get(f"/ui/workflows/{ID}/value?key=other")).status_code == 404


async def test_static_files_are_kept_for_good_under_their_own_digest(
    http: httpx2.AsyncClient,
) -> None:
    kept = await http.get(f"{assets().base}/css/base.css")
    assert "immutable" in kept.headers["cache-control"]
    other = await http.get("/static/other/css/base.css")
    assert other.headers["cache-control"] == "no-store"
    assert (await http.get("/static/other/%2e%2e/rendering.py")).status_code == 404


def test_missing_files_are_told_when_the_server_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make setup"):
        assets(tmp_path)


def test_every_route_of_the_dashboard_declares_one_scope() -> None:
    routes = [r for part in web.routers() for r in part.routes if isinstance(r, APIRoute)]
    assert len(routes) > 25
    for route in routes:
        declared = [scope for one in route.dependencies if (scope := scope_of(one))]
        assert len(declared) == 1, f"{route.methods} {route.path} declares {declared}"


async def test_hostile_names_are_text(http: httpx2.AsyncClient, control: FakeControl) -> None:
    evil = "<img src=x onerror=alert(1)>"
    control.views[ID] = view(key=evil, labels={evil: evil}, current_stage=evil, reason=evil)
    for path in ("/", "/workflows", f"/workflows/{ID}", "/ui/palette?q=x"):
        assert "<img src=x" not in (await http.get(path)).text


async def test_a_form_that_fits_no_schema_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post(f"/ui/approvals/{ID}/explode", data={"stage": "s"}, headers=PARTIAL)
    assert answer.status_code == 422
