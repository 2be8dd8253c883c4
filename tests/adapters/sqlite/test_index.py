"""Queries over more workflows than one page looks at."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stagewright.adapters.sqlite import SqliteBackend, index
from stagewright.ports.commit import IndexEntry
from stagewright.ports.workflow_store import Query
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import committed, entry, start, workflow

LOOKED_AT = 50


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "ROWS_LOOKED_AT", LOOKED_AT)


async def fill(backend: SqliteBackend, clock: VirtualClock, entries: Sequence[IndexEntry]) -> None:
    """Start a workflow for each entry, the first one updated first."""
    starts = [
        start(workflow(number, 0), index=entry) for number, entry in enumerate(entries, start=1)
    ]
    await committed(backend, clock, *starts)


async def pages(backend: SqliteBackend, query: Query) -> list[int]:
    """Return the number of rows on each page, to the last."""
    sizes: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await backend.store.query(_after(query, cursor or None))
        sizes.append(len(page.rows))
        cursor = page.cursor
    return sizes


def _after(query: Query, cursor: str | None) -> Query:
    fields = {name: getattr(query, name) for name in Query.__dataclass_fields__}
    return Query(**{**fields, "cursor": cursor})


async def test_a_page_that_finds_little_looks_no_further_than_its_bound(
    backend: SqliteBackend, clock: VirtualClock
) -> None:
    rare = entry(labels={"team": "red"}, updated_at_ms=1, status="failed")
    common = [entry(labels={"team": "red"}, updated_at_ms=n) for n in range(2, 122)]
    await fill(backend, clock, [rare, *common])
    found = await pages(backend, Query(status="failed", label=("team", "red")))
    assert found == [0, 0, 1]


async def test_one_filter_needs_no_more_pages_than_rows_fill(
    backend: SqliteBackend, clock: VirtualClock
) -> None:
    rare = entry(labels={"team": "red"}, updated_at_ms=1, status="failed")
    await fill(backend, clock, [rare, *(entry(updated_at_ms=n) for n in range(2, 122))])
    assert await pages(backend, Query(status="failed")) == [1]
    assert await pages(backend, Query(label=("team", "red"))) == [1]


async def test_a_text_that_few_begin_with_is_found_at_once(
    backend: SqliteBackend, clock: VirtualClock
) -> None:
    rare = entry(key="order-17", updated_at_ms=1)
    await fill(backend, clock, [rare, *(entry(updated_at_ms=n) for n in range(2, 122))])
    assert await pages(backend, Query(text="order-")) == [1]


@pytest.mark.parametrize("oldest_first", [True, False])
async def test_a_text_that_many_begin_with_finds_each_once(
    backend: SqliteBackend, clock: VirtualClock, oldest_first: bool
) -> None:
    entries = [entry(name="red" if n % 2 else "blue", updated_at_ms=n // 7) for n in range(240)]
    await fill(backend, clock, entries)
    found = await pages(backend, Query(text="red", limit=20, oldest_first=oldest_first))
    assert sum(found) == 120
