"""Takes a picture of every screen, in both themes and three widths, of workflows that really ran.

    python -m tests.browser.screenshots FOLDER [NAME...]

With names only screens with such a word in their name are taken.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.house import ROOT, SAMPLE, House, browser, context_of, house
from tests.browser.letters import put, unreadable

WIDTHS = {400: 860, 1024: 768, 1440: 900}
THEMES = ("light", "dark")
DELIVERY = "examples/delivery/workflow.py"


def furnish(there: House) -> dict[str, str]:
    """Run workflows of every kind; return pages by name."""
    request = json.loads((ROOT / "examples/delivery/requests/todo.json").read_text("utf-8"))
    request["priority"] = 1 if isinstance(request.get("priority"), int) else request.get("priority")
    delivery = there.start("delivery", request, labels={"team": "web", "env": "demo"})
    done = []
    for number, about in enumerate(("Queues", "Leases", "Fencing tokens", "Backpressure")):
        done.append(there.start("article", {"about": about}, key=f"article-{number + 1}"))
    for one in done[:2]:
        there.until(one, "approval")
        decide(there, one, "approve")
    rework = done[2]
    there.until(rework, "approval")
    decide(there, rework, "reject")
    for number in range(3):
        there.until(there.start("release", {"commit": f"4f1c2a{number}"}), "signal")
    failed = there.start("nightly-import", {"source": "db.example.org", "broken": True})
    held = there.start("ledger-import", {"source": "ledger.example.org", "broken": True})
    for source in ("north", "south", "east"):
        there.start("nightly-import", {"source": f"{source}.example.org"}, labels={"site": source})
    there.start("cooling")
    paused = there.start("cooling", key="paused-by-hand")
    there.ask("POST", f"/workflows/{paused}/pause", by="ann", reason="while the store moves")
    released = there.start("release", {"commit": "77be01d"}, labels={"team": "core"})
    there.until(released, "signal")
    there.ask("POST", f"/workflows/{released}/signal", by="ann", name="release.go")
    there.until(failed, "failed")
    there.until(held, "held")
    there.until(rework, "approval")
    there.until(delivery, "completed", "failed")
    streaming = there.start("article", {"about": "Streaming", "pause_s": 5}, key="live")
    there.until(streaming, "leased")
    lonely = there.start("transcoding")
    there.until(lonely, "queued")
    return {
        "activity": "/",
        "workflows": "/workflows",
        "workflows-filtered": "/workflows?status=waiting&waiting=signal",
        "workflow-delivery": f"/workflows/{delivery}",
        "workflow-delivery-stage": f"/workflows/{delivery}?stage=validation",
        "workflow-delivery-events": f"/workflows/{delivery}?tab=events",
        "workflow-diagram": f"/workflows/{delivery}?tab=diagram",
        "workflow-failed": f"/workflows/{failed}?stage=fetch",
        "workflow-held": f"/workflows/{held}",
        "workflow-rework": f"/workflows/{rework}?stage=draft",
        "workflow-waiting": f"/workflows/{done[3]}",
        "workflow-no-agent": f"/workflows/{lonely}",
        "workflow-branches": f"/workflows/{released}?tab=diagram",
        "workflow-streaming": f"/workflows/{streaming}?stage=draft",
        "approvals": f"/approvals?workflow={rework}",
        "definitions": "/definitions",
        "definition": "/definitions/delivery",
        "start": "/definitions/article/start",
        "agents": "/agents",
        "dead-letters": "/dead-letters",
        "system": "/system",
        "sign-in": "/sign-in",
    }


def decide(there: House, workflow_id: str, verb: str) -> None:
    """Decide as a member of the group."""
    words = {"by": "ann", "groups": ["editors"], "reason": "Say it shorter."}
    there.ask("POST", f"/workflows/{workflow_id}/{verb}", **words, data={"tone": "drier"})


def take(started: Browser, there: House, screens: dict[str, str], folder: Path) -> None:
    """Take all pictures."""
    for theme in THEMES:
        for width, height in WIDTHS.items():
            viewport = {"width": width, "height": height}
            scheme: str = theme
            context = context_of(started, there, viewport=viewport, color_scheme=scheme)
            page = context.new_page()
            for name, path in screens.items():
                picture(page, path, folder / f"{name}-{width}-{theme}.png")
            dialogs(page, screens, folder, f"{width}-{theme}")
            context.close()


def picture(page: Page, path: str, file: Path) -> None:
    """Take one picture, down to the page's end but not endless."""
    page.goto(path)
    page.wait_for_timeout(350)
    page.screenshot(path=file, full_page=True)


def dialogs(page: Page, screens: dict[str, str], folder: Path, suffix: str) -> None:
    """Take a picture of a dialog and of the palette."""
    if "workflow-failed" not in screens:
        return
    page.goto(screens["workflow-failed"])
    page.get_by_role("button", name="Edit input").first.click()
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"dialog-{suffix}.png")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"palette-{suffix}.png")


def main() -> None:
    """Take the pictures."""
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stagewright-") as scratch, browser() as started:
        letters(Path(scratch))
        with house(Path(scratch), SAMPLE, DELIVERY) as there:
            shoot(started, there, folder, names)


def shoot(started: Browser, there: House, folder: Path, names: list[str]) -> None:
    """Furnish a house and take the pictures that were asked for."""
    screens = furnish(there)
    letter = there.ask("GET", "/dead-letters")[0]["letter_id"]
    screens["dead-letter"] = f"/dead-letters/{letter}"
    chosen = {n: p for n, p in screens.items() if not names or any(x in n for x in names)}
    take(started, there, chosen, folder)


def letters(scratch: Path) -> None:
    """Leave messages that cannot be applied."""
    with house(scratch) as there:
        ids = [there.start("cooling", key=f"cooling-{number}") for number in range(3)]
    for one in ids:
        put(scratch, one, unreadable(one, "settle"))
    put(scratch, ids[0], b'{"specversion": "1.0", "type": ')


if __name__ == "__main__":
    main()
