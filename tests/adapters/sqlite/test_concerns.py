"""What people should mend about the file is named, with what to do about it."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from stagewright.adapters.sqlite import SqliteBackend, concerns
from stagewright.adapters.sqlite.core import LATELY_S
from stagewright.domain.errors import StoreFull
from stagewright.ports.health import Concern
from stagewright.testing.clock import VirtualClock
from stagewright.testing.disk import Disk

MOUNTS = """\
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /srv rw - ext4 /dev/sdb rw
24 23 0:22 / /srv/share\\040one rw,relatime shared:9 - nfs4 host:/export rw
25 24 0:23 / /srv/share\\040one/local rw - xfs /dev/sdc rw
"""


async def found(backend: SqliteBackend) -> dict[str, Concern]:
    health = await backend.store.health()
    return {concern.check: concern for concern in health.concerns if concern.check != "space"}


async def test_a_file_in_order_gives_no_concern(backend: SqliteBackend) -> None:
    assert await found(backend) == {}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/state.db", "ext4"),
        ("/srv/share one/state.db", "nfs4"),
        ("/srv/share one/local/deep/state.db", "xfs"),
        ("/data/state.db", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    monkeypatch.setattr(concerns, "MOUNTS", tmp_path / "mounts")
    assert concerns.file_system(Path(path)) == kind


async def test_a_network_file_system_is_named(
    backend: SqliteBackend, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(f"24 23 0:22 / {path.parent} rw - nfs4 host:/export rw\n")
    monkeypatch.setattr(concerns, "MOUNTS", tmp_path / "mounts")
    concern = (await found(backend))["file system"]
    assert concern.serious
    assert "network file system (nfs4)" in concern.found
    assert "local disk" in concern.remedy


async def test_where_mounts_are_not_told_nothing_is_claimed(
    backend: SqliteBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concerns, "MOUNTS", tmp_path / "nothing")
    assert await found(backend) == {}


def test_a_sqlite_that_may_damage_its_log_is_named() -> None:
    (concern,) = concerns.of_version("3.40.1")
    assert concern.serious
    assert "3.40.1 may damage the file" in concern.found
    assert not list(concerns.of_version("3.51.3"))


@pytest.mark.parametrize(("free", "serious"), [(5_000_000, False), (4_096, True)])
async def test_a_disk_that_is_nearly_full_is_named_in_time(
    backend: SqliteBackend, monkeypatch: pytest.MonkeyPatch, free: int, serious: bool
) -> None:
    usage = namedtuple("usage", "free")(free)  # noqa: PYI024  # as the library's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (concern,) = (await backend.store.health()).concerns
    assert concern.serious == serious
    assert concern.found.startswith(f"{free / 1_000_000:.1f} MB are free")


async def test_a_full_disk_is_read_and_says_that_it_takes_nothing(
    disk: Disk, backend: SqliteBackend, clock: VirtualClock
) -> None:
    await backend.kv.set("before", b"1", None, 0)
    disk.full = True
    with pytest.raises(StoreFull, match="the disk is full"):
        await backend.kv.set("key", b"1", None, 0)
    full = await backend.store.health()
    disk.full = False
    await backend.kv.set("key", b"1", None, 0)
    lately = await backend.store.health()
    await clock.advance(LATELY_S)
    assert full.ok
    assert "the disk is full" in full.refusing
    assert [(c.check, c.serious) for c in full.concerns if c.serious] == [("space", True)]
    assert lately.refusing == full.refusing
    assert (await backend.store.health()).refusing == ""
