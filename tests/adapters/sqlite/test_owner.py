"""One process owns the file; the others are told which."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest

from stagewright.adapters.sqlite import SqliteBackend, open_backend
from stagewright.adapters.sqlite.owner import lock_path_of
from stagewright.domain.errors import OwnedElsewhere
from stagewright.ports.backend import BackendOptions
from stagewright.testing.clock import VirtualClock
from tests.adapters.sqlite.processes import ADDRESS, TOKEN, end, line, started, tell

RACERS = 5


@pytest.fixture
def others() -> Iterator[ExitStack]:
    """Ends the processes that a test starts."""
    with ExitStack() as stack:
        yield stack


def owner(others: ExitStack, url: str, role: str = "hold") -> Popen[str]:
    process = started(role, url)
    others.callback(end, process)
    assert line(process) == "ready"
    tell(process)
    assert line(process) == "won"
    return process


async def refused(url: str, clock: VirtualClock) -> OwnedElsewhere:
    with pytest.raises(OwnedElsewhere) as caught:
        async with open_backend(url, BackendOptions(), clock):
            pytest.fail("a second owner")
    return caught.value


async def test_a_second_opener_is_told_which_process_owns_the_file(
    others: ExitStack, url: str, path: Path, clock: VirtualClock
) -> None:
    process = owner(others, url)
    error = await refused(url, clock)
    assert (error.path, error.pid, error.address) == (str(path), process.pid, None)
    assert f"process {process.pid}" in str(error)


async def test_a_second_opener_is_given_the_address_and_the_token(
    others: ExitStack, url: str, clock: VirtualClock
) -> None:
    owner(others, url, "door")
    error = await refused(url, clock)
    assert (error.address, error.token) == (ADDRESS, TOKEN)


async def test_the_token_appears_in_no_report_of_the_error(
    others: ExitStack, url: str, clock: VirtualClock
) -> None:
    owner(others, url, "door")
    error = await refused(url, clock)
    assert TOKEN not in f"{error} {error!r} {vars(error)}"
    assert TOKEN.encode() not in pickle.dumps(error)
    assert pickle.loads(pickle.dumps(error)).token is None


async def test_a_killed_owner_leaves_a_file_that_can_be_taken_over(
    others: ExitStack, url: str, path: Path, clock: VirtualClock
) -> None:
    end(owner(others, url, "door"))
    assert TOKEN in lock_path_of(path).read_text("utf-8")
    async with open_backend(url, BackendOptions(), clock) as backend:
        await backend.kv.set("mine", b"1", None, 0)
        assert (await refused(url, clock)).pid == os.getpid()


async def test_of_several_that_open_at_once_one_wins(
    others: ExitStack, url: str, clock: VirtualClock
) -> None:
    racers = [started("hold", url) for _ in range(RACERS)]
    for racer in racers:
        others.callback(end, racer)
        assert line(racer) == "ready"
    for racer in racers:
        tell(racer)
    said = sorted(line(racer).split()[0] for racer in racers)
    assert said == ["lost"] * (RACERS - 1) + ["won"]
    assert (await refused(url, clock)).pid in {racer.pid for racer in racers}


async def test_within_one_process_too_there_is_one_owner(
    backend: SqliteBackend, url: str, clock: VirtualClock
) -> None:
    backend.publish_door(ADDRESS, TOKEN)
    error = await refused(url, clock)
    assert (error.pid, error.token) == (os.getpid(), TOKEN)


@pytest.mark.usefixtures("backend")
async def test_another_name_of_the_file_has_the_same_owner(
    tmp_path: Path, clock: VirtualClock
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "state.db")
    assert (await refused(f"sqlite:///{tmp_path}/link", clock)).pid == os.getpid()


@pytest.mark.usefixtures("backend")
async def test_only_its_user_may_read_the_file_and_the_token(path: Path) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert {"state.db", "state.db.owner", "state.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_a_lock_file_that_others_could_read_is_closed_to_them(
    url: str, path: Path, clock: VirtualClock
) -> None:
    lock_path_of(path).touch(0o644)
    async with open_backend(url, BackendOptions(), clock):
        assert lock_path_of(path).stat().st_mode & 0o777 == 0o600


async def test_an_owner_that_ends_leaves_no_token_behind(
    url: str, path: Path, clock: VirtualClock
) -> None:
    async with open_backend(url, BackendOptions(), clock) as backend:
        backend.publish_door(ADDRESS, TOKEN)
    assert lock_path_of(path).read_text("utf-8").strip() == ""


async def test_an_owner_that_has_not_written_its_record_yet_is_an_owner(
    url: str, path: Path, clock: VirtualClock
) -> None:
    async with open_backend(url, BackendOptions(), clock):
        lock_path_of(path).write_text("", "utf-8")
        error = await refused(url, clock)
    assert (error.pid, error.address, error.token) == (None, None, None)
    assert "another process" in str(error)
