"""A workflow from the form to its end, on one page that is never loaded again."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.house import House, context_of, house


def test_a_workflow_is_started_watched_and_approved_without_a_reload(page: Page) -> None:
    page.goto("/definitions/article/start")
    page.get_by_label("About").fill("Patience")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile("/workflows/p"))
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_text("review waits for a decision")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("code[data-command]")).to_contain_text("--group editors")
    dialog.get_by_label("Comment").fill("Good as it is")
    expect(dialog.locator("code[data-command]")).to_contain_text("--comment 'Good as it is'")
    dialog.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("approved")
    expect(page.locator(".hero .state")).to_have_text("Completed")
    expect(page.locator(".timeline")).to_contain_text("publishing")
    assert page.evaluate("window.sameDocument") is True


def test_what_an_agent_streams_appears_as_it_comes(page: Page, there: House) -> None:
    workflow = there.start("article", {"about": "Rivers", "pause_s": 0.6})
    page.goto(f"/workflows/{workflow}?stage=draft")
    expect(page.locator("#stream")).to_contain_text("Begin with one case that fails")
    expect(page.get_by_text("review waits for a decision")).to_be_visible()


def test_the_list_shows_what_starts_elsewhere(page: Page, there: House) -> None:
    page.goto("/workflows?definition=cooling")
    expect(page.locator(".live").last).to_have_text("Live")
    workflow = there.start("cooling", key="from-elsewhere")
    expect(page.locator(f"#row-{workflow}")).to_contain_text("from-elsewhere")


def test_what_is_being_typed_survives_what_happens_meanwhile(page: Page, there: House) -> None:
    workflow = there.start("cooling")
    page.goto(f"/workflows/{workflow}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("half a sen")
    there.ask("POST", f"/workflows/{workflow}/pause", by="ann")
    expect(page.locator(".hero .state")).to_have_text("Paused")
    expect(page.get_by_role("dialog").get_by_label("Reason")).to_have_value("half a sen")


ASK = "import(document.querySelector('script[type=module]').src.replace('main', 'refresh'))"


def test_what_happens_while_the_page_is_on_its_way_is_not_missed(page: Page, there: House) -> None:
    workflow = there.start("release")
    there.until(workflow, "signal")
    asked: list[Route] = []

    def hold_back_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()
            return
        old = route.fetch()  # read before what happens next
        there.ask("POST", f"/workflows/{workflow}/signal", by="ann", name="release.go")
        there.until(workflow, "completed")
        page.evaluate(f"{ASK}.then((module) => {{ module.refresh(); }})")
        route.fulfill(response=old)

    page.route("**/api/v1/**", lambda route: route.fulfill(status=404))  # nobody tells the page
    page.goto(f"/workflows/{workflow}")
    page.wait_for_load_state("networkidle")
    page.route("**/workflows/p*", hold_back_the_first)
    page.evaluate(f"{ASK}.then((module) => {{ module.refresh(); }})")
    expect(page.locator(".hero .state")).to_have_text("Completed")
    assert len(asked) == 2


def test_a_selection_survives_what_happens_meanwhile(page: Page, there: House) -> None:
    first = there.start("cooling", key="stays-selected")
    page.goto("/workflows")
    page.locator(f"#row-{first} input").check()
    workflow = there.start("cooling", key="meanwhile")
    expect(page.locator(f"#row-{workflow}")).to_be_visible()
    expect(page.locator(f"#row-{first} input")).to_be_checked()
    expect(page.locator(".bulk")).to_contain_text("1 workflow selected")


def test_a_broken_stream_says_since_when_and_goes_on_by_itself(
    chromium: Browser, tmp_path_factory: object
) -> None:
    folder = tmp_path_factory.mktemp("twice")  # type: ignore[attr-defined]
    with house(folder) as first:
        port = int(first.address.rpartition(":")[2])
        workflow = first.start("release")
        first.until(workflow, "signal")
        context = context_of(chromium, first)
        page = context.new_page()
        page.goto(f"/workflows/{workflow}")
        expect(page.locator(".live").last).to_have_text("Live")
    expect(page.locator(".live").last).to_have_text(
        re.compile(r"Disconnected since \d\d:\d\d:\d\d, retrying")
    )
    with house(folder, port=port) as second:
        expect(page.locator(".live").last).to_have_text("Live")
        second.ask("POST", f"/workflows/{workflow}/signal", by="ann", name="release.go")
        expect(page.locator(".hero .state")).to_have_text("Completed")
        context.close()
