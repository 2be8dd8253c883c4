"""SQLite with `synchronous=FULL`: nothing is confirmed before the log is on the disk."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from stagewright.adapters.sqlite import open_backend
from stagewright.adapters.sqlite.writer import Writer
from stagewright.adapters.system.clock import SystemClock
from stagewright.ports.backend import BackendOptions
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    inspected,
    start,
    task,
    workflow,
)
from stagewright.testing.disk import Answer, Disk, Entry, Platter, Sync, Write
from stagewright.testing.randomness import SeededRandom
from tests.faults.receipts import COMMANDS, Office, Receipt, missing

CUTS = 50
SEED = 20261122
CHECKPOINT_PAGES = 300
"""Far fewer than in use, so that cuts also meet pages on their way from the log to the file."""
_HEX = re.compile(rb"(?=([0-9a-f]{16}))")


@dataclass(frozen=True)
class Recorded:
    """What clerks were told, and what the disk did meanwhile."""

    receipts: list[Receipt]
    results: int
    journal: list[Entry]
    opened: int
    """Length of the journal when the file was ready for use."""


async def recorded(folder: Path, commands: int = COMMANDS) -> Recorded:
    with Disk() as disk:
        async with open_backend(url_in(folder), BackendOptions(), SystemClock()) as backend:
            session = backend.store._core.writer._session  # type: ignore[attr-defined]
            session.db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            opened = len(disk.journal)
            office = Office(backend, disk.answered)
            await office.work(commands)
            journal = list(disk.journal)
    return Recorded(office.receipts, office.results, journal, opened)


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'state.db'}"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return anyio.run(recorded, tmp_path_factory.mktemp("full"))


def early(found: Recorded) -> list[str]:
    """Return the tokens that were confirmed while no synced page held them.

    A token may be cut in two by the end of a page; then one half of it is whole.
    """
    halves = {part: r.token for r in found.receipts for part in (r.token[:16], r.token[16:])}
    written: set[str] = set()
    safe: set[str] = set()
    told = []
    for entry in found.journal:
        if isinstance(entry, Write) and entry.file.endswith("-wal"):
            named = (match[1].decode() for match in _HEX.finditer(entry.data))
            written.update(halves[part] for part in named if part in halves)
        elif isinstance(entry, Sync) and entry.file.endswith("-wal"):
            safe |= written
            written.clear()
        elif isinstance(entry, Answer) and entry.token not in safe:
            told.append(entry.token)
    return told


def test_nothing_is_confirmed_before_its_sync(full: Recorded) -> None:
    assert len(full.receipts) == COMMANDS + full.results
    assert full.results == COMMANDS // 4
    assert early(full) == []
    assert sum(isinstance(e, Sync) and e.file == "state.db" for e in full.journal) >= 2


async def test_the_journal_shows_what_is_confirmed_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same look at a writer that does not wait: it would see what is never there."""
    sync = Writer._sync
    monkeypatch.setattr(Writer, "_sync", lambda self, *, lasting: sync(self, lasting=not lasting))
    found = await recorded(tmp_path, COMMANDS // 10)
    assert len(early(found)) > len(found.receipts) // 2


async def test_a_cut_loses_nothing_that_was_confirmed(full: Recorded, tmp_path: Path) -> None:
    """Also results: their claims did not wait for the disk, but lie before them in the log."""
    chance, arrival = random.Random(SEED), SeededRandom(SEED)
    cuts = sorted(chance.sample(range(full.opened, len(full.journal)), CUTS))
    platter, played = Platter(), 0
    for cut in cuts:
        platter.play(full.journal[played:cut])
        played = cut
        folder = tmp_path / str(cut)
        folder.mkdir()
        platter.leave(folder, arrival)
        told = {entry.token for entry in full.journal[:cut] if isinstance(entry, Answer)}
        receipts = [receipt for receipt in full.receipts if receipt.token in told]
        async with open_backend(url_in(folder), BackendOptions(), SystemClock()) as backend:
            assert await missing(backend, receipts) == [], cut


class Nothing:
    """A cut takes all that it may take."""

    def random(self) -> float:
        return 0.0


async def test_a_claim_that_a_cut_takes_back_is_queued_again(tmp_path: Path) -> None:
    id_, clock, platter = workflow(1, 0), VirtualClock(), Platter()
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    with Disk() as disk:
        async with open_backend(url_in(before), BackendOptions(), clock) as backend:
            await committed(backend, clock, start(id_, new_tasks=(task(id_),)))
            await claimed_one(backend, clock)
            (leased,) = await inspected(backend, id_)
            platter.play(disk.journal)
    platter.leave(after, Nothing())
    async with open_backend(url_in(after), BackendOptions(), clock) as backend:
        (found,) = await inspected(backend, id_)
    assert (leased.state, found.state) == ("leased", "queued")
