"""The demo as people use it: from the command line, also when it is killed in the middle."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.delivery.http_client import send
from tests.acceptance.delivery.driver import REQUESTS

ROOT = Path(__file__).parents[3]
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def demo(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo; a lease is short, so that a killed process is not waited for long."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.delivery", *arguments],
        cwd=ROOT,
        env=os.environ
        | {
            "DELIVERY_HOME": str(home),
            "STAGEWRIGHT_URL": f"sqlite:///{home.with_name('state.db')}",
            "STAGEWRIGHT_LEASE_S": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("home")
def test_a_run_ends_with_a_table_and_a_service_that_outlives_it(home: Path) -> None:
    running = demo(home, "run", str(REQUESTS / "hello-world.json"))
    table, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    stages = re.findall(r"^ (\w+) +1 +ok", table, re.MULTILINE)
    assert stages[:1] + stages[-1:] == ["initialization", "deployment"]
    assert len(stages) == 6
    (address,) = set(ADDRESS.findall(table))
    assert send(address, "GET", "/").body == {"message": "Hello, world!"}
    stopped, _ = demo(home, "stop").communicate(timeout=60)
    assert stopped == f"hello_world at {address} has ended\n"


def test_a_run_that_was_killed_is_gone_on_with(home: Path) -> None:
    request = str(REQUESTS / "hello-world.json")
    with demo(home, "run", request) as killed:
        assert killed.stderr is not None
        first = killed.stderr.readline()
        for line in killed.stderr:
            if "validation: working" in line:
                killed.kill()
                break
    table, remarks = demo(home, "run", request).communicate(timeout=120)
    assert first.startswith("delivering hello-world as ")
    workflow_id = first.split()[-1]
    assert f"going on with hello-world, {workflow_id}" in remarks
    assert len(re.findall(r"^ scaffolding .* ok", table, re.MULTILINE)) == 1
    assert "The delivery is completed." in table


def test_an_impossible_request_ends_with_its_reasons_and_exit_code_1(home: Path) -> None:
    running = demo(home, "run", str(REQUESTS / "impossible.json"))
    table, _ = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "endpoints[1].path: GET /status is declared with another answer" in " ".join(
        table.split()
    )


def test_a_file_that_is_no_request_ends_with_exit_code_5(home: Path) -> None:
    running = demo(home, "run", "pyproject.toml")
    _, remarks = running.communicate(timeout=60)
    assert running.returncode == 5
    assert "pyproject.toml is not a delivery request" in remarks
