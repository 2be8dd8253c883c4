"""What failed is seen at once, and mended from the page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.house import House


def broken(there: House, definition: str, status: str) -> str:
    workflow = there.start(definition, {"source": "db.example.org", "broken": True})
    there.until(workflow, status)
    return workflow


def test_the_failure_panel_names_error_attempts_and_ways_on(page: Page, there: House) -> None:
    workflow = broken(there, "nightly-import", "failed")
    page.goto(f"/workflows/{workflow}")
    panel = page.get_by_role("region", name="fetch ended as failed")
    expect(panel).to_contain_text("db.example.org refused the connection")
    expect(panel.locator(".attempt")).to_have_count(3)
    expect(panel.locator("code")).to_contain_text(f"stagewright workflow retry {workflow}")
    panel.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("continues this workflow")


def test_an_edited_input_runs_as_a_successor(page: Page, there: House) -> None:
    workflow = broken(there, "nightly-import", "failed")
    page.goto(f"/workflows/{workflow}")
    page.get_by_role("button", name="Edit input").click()
    field = page.get_by_role("dialog").get_by_label("Input")
    field.fill('{"source": "db.example.org"')
    page.get_by_role("button", name="Run with this input").click()
    expect(page.get_by_role("dialog")).to_contain_text("The JSON cannot be read")
    field.fill('{"source": "db.example.org", "broken": false}')
    page.get_by_role("button", name="Run with this input").click()
    page.get_by_role("region", name="Messages").get_by_role("link", name="Open").click()
    expect(page.locator(".hero .state")).to_have_text("Completed")
    expect(page.locator(".hero")).to_contain_text("Continues")


def test_a_held_stage_is_retried_in_place(page: Page, there: House) -> None:
    workflow = broken(there, "ledger-import", "held")
    page.goto(f"/workflows/{workflow}")
    page.get_by_role("button", name="Retry in place").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("goes on")


def test_rework_shows_its_rounds_and_what_changed(page: Page, there: House) -> None:
    workflow = there.start("article", {"about": "Rivers"})
    there.until(workflow, "approval")
    page.goto(f"/approvals?workflow={workflow}")
    page.get_by_label("Comment").fill("Say it shorter")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("Changed since round 1")).to_be_visible()
    page.goto(f"/workflows/{workflow}?stage=draft")
    expect(page.locator(".tl-round")).to_contain_text("sent back by review: rejected")
    expect(page.locator(".diff")).to_contain_text("start where the reader stands")


def test_selected_workflows_are_cancelled_together(page: Page, there: House) -> None:
    chosen = [there.start("cooling", key=f"bulk-{n}") for n in range(3)]
    page.goto("/workflows?text=bulk-")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Select all on this page").check()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".bulk").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("3 workflows cancelled")
    for workflow in chosen:
        assert there.ask("GET", f"/workflows/{workflow}")["status"] == "cancelled"


def test_a_form_names_the_field_that_is_wrong(page: Page) -> None:
    page.goto("/definitions/article/start")
    page.get_by_role("tab", name="JSON").click()
    page.get_by_label("Input as JSON").fill('{"about": "x", "words": 3}')
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Words: 3 is less than")
