"""Whatever an agent writes is text."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.house import House


def test_nothing_that_an_agent_wrote_is_ever_run(page: Page, there: House) -> None:
    evil = '"><img src=x onerror="window.hacked=1">'
    workflow = there.start("attack", {"lines": [evil]}, key=evil, labels={"label": evil})
    there.until(workflow, "approval")
    paths = [
        "/", "/workflows", f"/workflows/{workflow}", f"/workflows/{workflow}?stage=hostile",
        f"/workflows/{workflow}?tab=events&stage=hostile", f"/approvals?workflow={workflow}",
        f"/workflows/{workflow}?tab=diagram", "/agents", "/definitions/attack",
    ]  # fmt: skip
    for path in paths:
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("window.hacked") is None, path
        assert page.locator("#main img, #main iframe, #main script:not([type])").count() == 0, path
    there.ask("POST", f"/workflows/{workflow}/approve", by="ann", reason=evil)
    there.until(workflow, "failed")
    page.goto(f"/workflows/{workflow}?stage=blow&tab=events")
    expect(page.locator(".failure")).to_contain_text("<script>window.hacked=1</script>")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-list a").last).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_hostile_text_is_streamed_as_text(page: Page, there: House) -> None:
    page.goto("/workflows")
    workflow = there.start("attack", {})
    page.goto(f"/workflows/{workflow}?stage=hostile")
    there.until(workflow, "approval")
    expect(page.get_by_text("judge waits for a decision")).to_be_visible()
    assert page.evaluate("window.hacked") is None
