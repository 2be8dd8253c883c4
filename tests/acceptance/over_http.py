"""Agents in other languages, run as a user runs them: with a server's address and its token."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.processes import Member, Place, until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "agents"
TOKEN = "open-sesame"


class Foreign:
    """One agent process that is not Python."""

    def __init__(self, place: Place, address: str, *command: str) -> None:
        self._place, self._command = place, command
        self._log = place.folder / f"{Path(command[-1]).name}.log"
        env = {"STAGEWRIGHT_ADDRESS": address, "STAGEWRIGHT_TOKEN": TOKEN}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **env}, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        until(lambda: "serving" in self.log or self._process.poll() is not None)
        assert "serving" in self.log, self.log
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def node(place: Place, address: str) -> Foreign:
    return Foreign(place, address, "node", str(EXAMPLES / "node" / "agent.mjs"))


def shell(place: Place, address: str) -> Foreign:
    return Foreign(place, address, "bash", str(EXAMPLES / "shell" / "agent.sh"))


def served(place: Place, port: int = 0) -> tuple[Member, str]:
    """Start the owner of the place's file; returns it and its address."""
    member = place.start("serve", "serve", "--port", str(port), STAGEWRIGHT_TOKEN=TOKEN)
    return member, member.announced["address"]


def post(address: str, path: str, body: Any) -> httpx2.Response:
    """Ask as curl would."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx2.post(
        f"{address}/api/v1{path}", json=body, headers=headers, timeout=60, trust_env=False
    )
