"""Everything can be done without a mouse."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.house import House


def test_the_palette_leads_to_a_form_that_the_keyboard_fills_in(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-input")).to_be_focused()
    page.keyboard.type("start cool")
    expect(page.locator("#palette-list a")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/definitions/cooling/start")
    page.get_by_role("textbox", name="Key").focus()
    page.keyboard.type("by-keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/workflows/p"))
    expect(page.locator(".hero")).to_contain_text("by-keyboard")


def test_a_decision_needs_no_mouse(page: Page, there: House) -> None:
    ids = [there.start("article", {"about": f"Keys {n}"}) for n in range(2)]
    for one in ids:
        there.until(one, "approval")
    page.goto("/approvals")
    expect(page.locator(f"#ask-{ids[0]}")).to_have_attribute("aria-current", "true")
    page.keyboard.press("j")
    expect(page.locator(f"#ask-{ids[1]}")).to_have_attribute("aria-current", "true")
    page.keyboard.press("a")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("approved")
    there.until(ids[1], "completed")
    assert there.ask("GET", f"/workflows/{ids[0]}")["status"] == "waiting"


def test_the_first_tab_leads_past_the_navigation(page: Page) -> None:
    page.goto("/workflows")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_escape_closes_a_dialog_and_focus_returns(page: Page, there: House) -> None:
    page.goto(f"/workflows/{there.start('cooling')}")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def test_rows_of_a_list_are_walked_with_j_and_k(page: Page, there: House) -> None:
    there.start("cooling", key="row-1")
    page.goto("/workflows")
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/workflows/p"))
    page.goto("/workflows")
    page.keyboard.press("/")
    expect(page.locator("#filter-text")).to_be_focused()


def test_signing_in_goes_where_it_was_meant_to_and_a_wrong_key_says_so(page: Page) -> None:
    given: list[str] = []

    def answer(route: Route) -> None:
        given.append(str(route.request.post_data_json["key"]))
        good = given[-1] == "right"
        problem = {"detail": "The key is not one that is in force.", "remedy": ""}
        route.fulfill(status=201 if good else 401, json={} if good else problem)

    page.route("**/api/v1/session", answer)
    page.goto("/sign-in?to=/agents")
    page.get_by_label("API key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The key is not one that is in force.")
    page.get_by_label("API key").fill("right")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents")
    assert given == ["wrong", "right"]
