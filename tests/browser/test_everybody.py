"""Every screen, in both themes and on a narrow display, keeps to WCAG 2.2 AA."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.house import ROOT, House, context_of, watched

AXE = (ROOT / "build" / "vendor" / "axe.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def screens(there: House) -> list[str]:
    """Every screen, with something on it."""
    asked = there.start("article", {"about": "Axes"})
    failed = there.start("nightly-import", {"source": "x", "broken": True})
    held = there.start("ledger-import", {"source": "x", "broken": True})
    branches = there.start("release")
    cooling = there.start("cooling", labels={"team": "web"})
    there.until(asked, "approval")
    words = {"by": "ann", "groups": ["editors"], "reason": "Shorter."}
    there.ask("POST", f"/workflows/{asked}/reject", **words)
    there.until(failed, "failed")
    there.until(held, "held")
    there.until(branches, "signal")
    there.until(asked, "approval")
    workflows = [f"/workflows/{one}" for one in (asked, failed, held, branches, cooling)]
    return [
        "/", "/workflows", "/workflows?status=failed&definition=none", *workflows,
        f"{workflows[0]}?stage=draft&visit=2", f"{workflows[1]}?tab=events&stage=fetch",
        f"{workflows[3]}?tab=diagram", f"/approvals?workflow={asked}", "/definitions",
        "/definitions/release", "/definitions/article/start", "/agents", "/dead-letters",
        "/system", "/sign-in", "/nothing-here",
    ]  # fmt: skip


def complaints(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(
        "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", RULES
    )
    return [
        f"{page.url} {one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("dark", 400)])
def test_every_screen_is_for_everybody(
    chromium: Browser,
    there: House,
    screens: list[str],
    theme: Literal["light", "dark"],
    width: int,
) -> None:
    viewport = {"width": width, "height": 900}
    context = context_of(
        chromium, there, viewport=viewport, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    wrong = watched(page)
    found: list[str] = []
    for path in screens:
        page.goto(path)
        found += complaints(page)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{path} is wider than {width}")
    context.close()
    assert found == []
    assert wrong == []


def test_dialogs_and_the_palette_are_for_everybody(page: Page, there: House) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"/workflows/{there.start('cooling')}")
    for name in ("Pause", "Cancel"):
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_role("dialog").wait_for()
        assert complaints(page) == []
        page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator("#palette-list a").first.wait_for()
    assert complaints(page) == []


def test_the_theme_is_chosen_and_remembered(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.goto("/system")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
