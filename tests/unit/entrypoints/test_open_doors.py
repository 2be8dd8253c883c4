from __future__ import annotations

import os
import subprocess
from pathlib import Path

import orjson
import pytest

from stagewright.adapters.sqlite import open_backend
from stagewright.adapters.system.clock import SystemClock
from stagewright.entrypoints.open_doors import SUFFIX, DoorRecord, door_of
from stagewright.ports.backend import BackendOptions


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


def write(tmp_path: Path, **record: object) -> None:
    (tmp_path / f"state.db{SUFFIX}").write_bytes(orjson.dumps(record))


async def test_what_an_owner_publishes_is_found_while_it_lives(url: str) -> None:
    assert door_of(url) is None
    async with open_backend(url, BackendOptions(), SystemClock()) as backend:
        assert door_of(url) is None
        backend.publish_door("http://127.0.0.1:4000", "open")
        assert door_of(url) == DoorRecord("http://127.0.0.1:4000", "open")
    assert door_of(url) is None


def test_the_record_of_a_dead_process_is_no_door(url: str, tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    write(tmp_path, pid=ended.pid, process_started=0, address="http://127.0.0.1:1", token="t")
    assert door_of(url) is None


def test_a_reused_process_id_is_no_door(url: str, tmp_path: Path) -> None:
    write(tmp_path, pid=os.getpid(), process_started=1, address="http://127.0.0.1:1", token="t")
    assert door_of(url) is None


@pytest.mark.parametrize("text", ["", "[]", '{"pid": "x"}', "{", '{"pid": null}'])
def test_a_record_that_says_nothing_is_no_door(url: str, tmp_path: Path, text: str) -> None:
    (tmp_path / f"state.db{SUFFIX}").write_text(text)
    assert door_of(url) is None
