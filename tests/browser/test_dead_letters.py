"""A message that could not be applied is found, corrected and put back."""

from __future__ import annotations

import orjson
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.house import context_of, house
from tests.browser.letters import put, result_of, unreadable

DRAFT = {"title": "By hand", "paragraphs": ["Corrected."], "words": 1}


def test_a_letter_is_corrected_and_put_back(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("letters")
    with house(folder) as first:
        workflow = first.start("article", {"about": "Letters", "pause_s": 5})
        first.until(workflow, "leased")
    put(folder, workflow, unreadable(workflow, "draft"), b"no JSON at all")
    with house(folder) as second:
        context = context_of(chromium, second)
        page = context.new_page()
        page.goto("/dead-letters")
        expect(page.locator(".panel-head")).to_have_count(2)
        page.get_by_role("row").filter(has_text=workflow[-8:]).get_by_role("link").first.click()
        second.until(workflow, "leased")
        good = orjson.dumps(result_of(workflow, "draft", output=DRAFT)).decode()
        page.get_by_label("Correct it here").fill(good)
        page.get_by_role("button", name="Put back").click()
        expect(page.get_by_role("region", name="Messages")).to_contain_text("was put back")
        view = second.until(workflow, "approval")
        assert view["stage_outputs"]["draft"]["title"] == "By hand"
        context.close()


def test_a_letter_can_be_thrown_away(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("letters")
    with house(folder) as first:
        workflow = first.start("cooling")
    put(folder, workflow, b"no JSON at all")
    with house(folder) as second:
        context = context_of(chromium, second)
        page = context.new_page()
        page.goto("/dead-letters")
        page.locator("tbody a.row-link").click()
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Throw away").click()
        expect(page.get_by_role("region", name="Messages")).to_contain_text("was thrown away")
        assert second.ask("GET", "/dead-letters") == []
        context.close()
