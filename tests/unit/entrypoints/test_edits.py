from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagewright.entrypoints.edits import Edits


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "project.py"
    file.write_text("one")
    return file


def test_a_file_that_changes_comes_or_goes_is_noticed_until_it_is_noted(file: Path) -> None:
    edits = Edits([str(file.parent)])
    assert not edits.changed()
    other = file.with_name("flow.yaml")
    for edit in (lambda: file.write_text("two!"), other.touch, other.unlink):
        edit()
        assert edits.changed()
        edits.note()
        assert not edits.changed()


def test_an_edit_of_the_same_length_is_noticed(file: Path) -> None:
    edits = Edits([str(file)])
    os.utime(file, ns=(1, 1))
    assert edits.changed()


def test_other_files_and_deeper_folders_do_not_count(file: Path) -> None:
    edits = Edits([str(file)])
    file.with_name("state.db").touch()
    (file.parent / "tests").mkdir()
    (file.parent / "tests" / "test_it.py").touch()
    assert not edits.changed()


def test_folders_of_modules_are_watched_once_they_are_known(file: Path) -> None:
    edits = Edits(["some.module"])
    edits.include([file])
    assert not edits.changed()
    file.write_text("three")
    assert edits.changed()


async def test_an_edit_made_before_the_watch_begins_is_not_lost(file: Path) -> None:
    edits = Edits([str(file)])
    os.utime(file, ns=(1, 1))
    async with asyncio.timeout(30):
        await anext(aiter(edits))
    assert edits.changed()


async def test_a_hint_without_an_edit_tells_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hints(*_: Path, **__: object) -> AsyncIterator[set[object]]:
        for instant in (1, None, 2):
            if instant is not None:
                os.utime(file, ns=(instant, instant))
            yield set()

    monkeypatch.setattr("watchfiles.awatch", hints)
    edits = Edits([str(file)])
    told = 0
    async for _ in edits:
        edits.note()
        told += 1
    assert told == 2
