"""The benchmark runs, checks itself, says what it measured on, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stagewright.testing.servers import RedisServer

STAGEWRIGHT = Path(sys.executable).with_name("stagewright")
FIGURES = {
    "workflows_per_s",
    "stages_per_s",
    "p50_ms",
    "p99_ms",
    "cpu_us_per_stage",
    "rss_bytes",
    "durability",
    "topology",
}


def bench(url: str) -> Any:
    command = [str(STAGEWRIGHT), "bench", "--url", url, "--workflows", "20", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def test_on_sqlite_all_three_share_the_owners_process(tmp_path: Path) -> None:
    report = bench(f"sqlite:///{tmp_path / 'state.db'}")
    assert report.keys() >= FIGURES
    assert report["durability"] == "process"
    assert report["topology"].startswith("one process")
    assert set(report["rss_bytes"]) == {"process"}
    assert list(tmp_path.iterdir()) == []


def test_on_redis_each_has_a_process_of_its_own() -> None:
    with RedisServer(appendonly="everysec") as server:
        report = bench(server.url)
        assert server.info()  # it outlived the benchmark
        left = subprocess.run(
            ["redis-cli", "-p", str(server.port), "dbsize"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    assert report["durability"] == "window"
    assert set(report["rss_bytes"]) == {
        "submitter",
        "orchestrator",
        "agents-1",
        "agents-2",
        "redis",
    }
    assert report["replayed"] == 10
    assert left.strip() == "0"
