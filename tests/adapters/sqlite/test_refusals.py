"""Files and urls that cannot be used are left as they are, and the error says why."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from stagewright.adapters.sqlite import open_backend
from stagewright.adapters.sqlite.migrations import APPLICATION_ID
from stagewright.domain.errors import ConfigurationError, StoreFailed
from stagewright.ports.backend import BackendOptions
from stagewright.testing.clock import VirtualClock


async def open_and_close(url: str, clock: VirtualClock, **options: object) -> None:
    async with open_backend(url, BackendOptions(**options), clock):  # type: ignore[arg-type]
        pass


DIARY = "dear diary, " * 500


def diary(path: Path) -> None:
    """Write what is no database."""
    path.write_text(DIARY, "utf-8")


def read(path: Path) -> str:
    return path.read_text("utf-8")


def database(path: Path, *statements: str) -> bytes:
    db = apsw.Connection(str(path))
    for statement in statements:
        db.execute(statement)
    db.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:////", "sqlite:///:memory:", "memory://", "x.db"]
)
async def test_a_url_without_a_file_is_refused(url: str, clock: VirtualClock) -> None:
    with pytest.raises(ConfigurationError, match=r"names no file.*sqlite:///PATH"):
        await open_and_close(url, clock)


async def test_a_relative_url_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: VirtualClock
) -> None:
    monkeypatch.chdir(tmp_path)
    await open_and_close("sqlite:///.stagewright/state.db", clock)
    assert (tmp_path / ".stagewright" / "state.db").exists()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, clock: VirtualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match=r"file: the folder cannot be made \(.*Name another one"):
        await open_and_close(f"sqlite:///{tmp_path}/file/state.db", clock)


async def test_a_folder_that_takes_no_files_is_named(clock: VirtualClock) -> None:
    with pytest.raises(StoreFailed, match=r"state.db.owner: it cannot be created"):
        await open_and_close("sqlite:////proc/self/state.db", clock)


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path, clock: VirtualClock) -> None:
    with pytest.raises(
        StoreFailed, match=r"the file cannot be opened for writing \(Is a directory"
    ):
        await open_and_close(f"sqlite:///{tmp_path}", clock)


async def test_what_is_no_database_is_left_alone(path: Path, url: str, clock: VirtualClock) -> None:
    diary(path)
    with pytest.raises(StoreFailed, match="not an SQLite database"):
        await open_and_close(url, clock)
    assert read(path) == DIARY


async def test_a_database_of_another_program_is_left_alone(
    path: Path, url: str, clock: VirtualClock
) -> None:
    database(path, "CREATE TABLE diary (day TEXT)")
    with pytest.raises(ConfigurationError, match="of another program"):
        await open_and_close(url, clock)
    db = apsw.Connection(str(path))
    assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("diary",)]
    db.close()


async def test_a_newer_schema_is_refused_with_both_numbers(
    path: Path, url: str, clock: VirtualClock
) -> None:
    database(path, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 9")
    with pytest.raises(ConfigurationError, match=r"schema 9; this version knows 3\. Upgrade"):
        await open_and_close(url, clock)


async def test_a_file_keeps_its_namespace(url: str, clock: VirtualClock) -> None:
    await open_and_close(url, clock, namespace="red")
    with pytest.raises(ConfigurationError, match=r"holds namespace 'red', not 'blue'"):
        await open_and_close(url, clock, namespace="blue")


async def test_a_file_keeps_its_partitions(url: str, clock: VirtualClock) -> None:
    await open_and_close(url, clock, partitions=3)
    async with open_backend(url, BackendOptions(partitions=8), clock) as backend:
        assert backend.partitions == 3


async def test_a_refused_file_is_owned_by_nobody(path: Path, url: str, clock: VirtualClock) -> None:
    diary(path)
    for _ in range(2):
        with pytest.raises(StoreFailed, match="not an SQLite database"):
            await open_and_close(url, clock)


async def test_a_schema_that_was_half_made_is_made_anew(
    url: str, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "stagewright.adapters.sqlite.migrations"
    monkeypatch.setattr(f"{module}.secrets.token_hex", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await open_and_close(url, clock)
    monkeypatch.undo()
    async with open_backend(url, BackendOptions(), clock) as backend:
        assert backend.partitions == 1
