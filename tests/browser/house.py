"""A whole server in a process of its own, and a browser in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-the-browser-tests-only"
SAMPLE = "tests/browser/sample.py"
PATIENCE_S = 60.0
QUICK_S = 0.02


@dataclass
class House:
    """A running server."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Call the API."""
        answer = httpx2.request(
            method,
            f"{self.address}/api/v1{path}",
            headers={"authorization": f"Bearer {TOKEN}"},
            json=body or None,
            timeout=PATIENCE_S,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self, definition: str, input_: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Start a workflow; return its id."""
        body = {"definition": definition, "input": input_ or {}, **more}
        found: str = self.ask("POST", "/workflows", **body)["workflow_id"]
        return found

    def until(self, workflow_id: str, *reasons: str) -> dict[str, Any]:
        """Wait until a workflow has such a status or waits for such a reason; return its view."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            view: dict[str, Any] = self.ask("GET", f"/workflows/{workflow_id}")
            if {view["status"], *(one["kind"] for one in view["waiting"])} & set(reasons):
                return view
            time.sleep(QUICK_S)
        raise TimeoutError(f"{workflow_id} did not come to {reasons}: {view}")


@contextmanager
def house(folder: Path, *targets: str, port: int = 0) -> Iterator[House]:
    """Run `stagewright dev` on SQLite in a folder, and put there what agents leave."""
    port = port or free_port()
    environment = {
        **os.environ,
        "STAGEWRIGHT_URL": f"sqlite:///{folder / 'state.db'}",
        "STAGEWRIGHT_TOKEN": TOKEN,
        "STAGEWRIGHT_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    program = Path(sys.executable).with_name("stagewright")
    command = [str(program), "dev", *(str(ROOT / one) for one in targets or (SAMPLE,))]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process, folder / "server.log")
        yield House(address, process, folder)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server has said what it serves, and answers."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        said = log.read_text()
        if process.poll() is not None:
            raise RuntimeError(said)
        if "\nagents " in said and _answers(address):
            return
        time.sleep(QUICK_S)
    raise TimeoutError(log.read_text())


def _answers(address: str) -> bool:
    headers = {"authorization": f"Bearer {TOKEN}"}
    try:
        return httpx2.get(f"{address}/api/v1/system", headers=headers).is_success
    except httpx2.TransportError:
        return False


def chromium_path() -> str:
    """Return where the system's Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise FileNotFoundError("Chromium is needed: apt-get install chromium")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the system's Chromium."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path(), args=options)
        yield started
        started.close()


def context_of(started: Browser, house_: House, **options: Any) -> BrowserContext:
    """Return a fresh browser profile that is let in; scripts that fail are remembered."""
    context = started.new_context(
        base_url=house_.address, extra_http_headers={"authorization": f"Bearer {TOKEN}"}, **options
    )
    context.set_default_timeout(PATIENCE_S * 1_000 / 3)
    return context


def watched(page: Page) -> list[str]:
    """Return the list to which everything is added that goes wrong on a page."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if _wrong(said) else None)
    return wrong


def _wrong(said: ConsoleMessage) -> bool:
    """An answer that is a refusal is no mistake of the page."""
    return said.type == "error" and "status of 4" not in said.text
