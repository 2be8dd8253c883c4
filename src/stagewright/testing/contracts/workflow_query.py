"""What finding workflows must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from stagewright.domain.errors import CursorInvalid
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, IndexEntry
from stagewright.ports.workflow_store import Query
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    committed,
    entry,
    start,
    step_id,
    then,
    workflow,
)

FILTERS = {
    "nothing": Query(),
    "status": Query(status="failed"),
    "any of several statuses": Query(status=("failed", "waiting")),
    "every status there is": Query(status=("running", "waiting", "failed", "completed", "x")),
    "several labels": Query(label=(("team", "red"), ("tier", "1"))),
    "labels that nothing has together": Query(label=(("team", "red"), ("team", "blue"))),
    "several statuses and a label": Query(status=("running", "failed"), label=("team", "blue")),
    "several statuses, oldest first": Query(status=("running", "failed"), oldest_first=True),
    "definition": Query(definition="review@2.0.0"),
    "label": Query(label=("team", "red")),
    "a label's value in full": Query(label=("team", "re")),
    "another label's value": Query(label=("tier", "red")),
    "waiting": Query(waiting="approval"),
    "a key's prefix": Query(text="order-1"),
    "a name's prefix": Query(text="deliv"),
    "an id's prefix": Query(text="p02-0000"),
    "no prefix but an infix": Query(text="rder-1"),
    "a prefix with wildcards in it": Query(text="order_1%"),
    "updated from": Query(updated_from_ms=1_010),
    "updated before": Query(updated_before_ms=1_010),
    "updated within": Query(updated_from_ms=1_005, updated_before_ms=1_006),
    "partition": Query(partition=3),
    "status and partition": Query(status="running", partition=1),
    "status and waiting": Query(status="waiting", waiting="approval"),
    "definition and label": Query(definition="review@2.0.0", label=("team", "blue")),
    "text and updated": Query(text="order-", updated_from_ms=1_004, updated_before_ms=1_015),
    "label, status and text": Query(label=("team", "red"), status="running", text="p0"),
    "what does not exist": Query(status="cancelled", label=("x", "y")),
}


def varied(number: int) -> IndexEntry:
    """Return one of many different entries; update times come in ties of three."""
    return entry(
        status=("running", "waiting", "failed", "completed")[number % 4],
        definition=("delivery@1.0.0", "review@2.0.0")[number % 2],
        name=("delivery", "review")[number % 2],
        key=None if number % 5 == 0 else f"order-{number}",
        labels={} if number % 7 == 0 else {"team": ("red", "blue")[number % 3 % 2], "tier": "1"},
        waiting=((), ("task",), ("approval", "task"))[number % 3],
        updated_at_ms=1_000 + number // 3,
    )


def fits(workflow_id: str, found: IndexEntry, query: Query) -> bool:
    """Say in plain Python whether an entry is what a query asks for."""
    texts = (workflow_id, found.key or "", found.name)
    checks = [
        not query.statuses or found.status in query.statuses,
        query.definition is None or found.definition == query.definition,
        all(label in found.labels.items() for label in query.labels),
        query.waiting is None or query.waiting in found.waiting,
        query.text is None or any(text.startswith(query.text) for text in texts),
        query.updated_from_ms is None or found.updated_at_ms >= query.updated_from_ms,
        query.updated_before_ms is None or found.updated_at_ms < query.updated_before_ms,
        query.partition is None or int(workflow_id[1:3]) == query.partition,
    ]
    return all(checks)


async def all_pages(backend: Backend, query: Query) -> list[str]:
    """Return the ids on all pages; pages may be short, but never longer than asked."""
    found: list[str] = []
    for _ in range(1_000):
        page = await backend.store.query(query)
        assert len(page.rows) <= query.limit
        found += [row.workflow_id for row in page.rows]
        if page.cursor is None:
            return found
        query = replace(query, cursor=page.cursor)
    raise AssertionError("The pages have no end.")


async def many(backend: Backend, clock: VirtualClock, count: int = 60) -> dict[str, IndexEntry]:
    """Start workflows of every kind, in no particular order; return their entries."""
    numbers = [number * 37 % count for number in range(count)]
    entries = {workflow(number, number % 4): varied(number) for number in numbers}
    await committed(backend, clock, *(start(id_, index=entries[id_]) for id_ in entries))
    return entries


def by_update(entries: dict[str, IndexEntry], ids: Sequence[str]) -> list[int]:
    """Return update times in the order of ids."""
    return [entries[id_].updated_at_ms for id_ in ids]


class QueryContract:
    """Workflows are found by their index entries, page by page."""

    @pytest.mark.parametrize("query", FILTERS.values(), ids=FILTERS.keys())
    async def test_a_query_finds_what_fits_all_its_filters(
        self, backend: Backend, clock: VirtualClock, query: Query
    ) -> None:
        entries = await many(backend, clock)
        wanted = {id_ for id_, found in entries.items() if fits(id_, found, query)}
        for limit in (1_000, 7):
            found = await all_pages(backend, replace(query, limit=limit))
            assert sorted(found) == sorted(wanted)

    async def test_rows_come_newest_first_unless_asked_otherwise(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        entries = await many(backend, clock)
        newest = by_update(entries, await all_pages(backend, Query(limit=7)))
        oldest = by_update(entries, await all_pages(backend, Query(limit=7, oldest_first=True)))
        assert newest == sorted(newest, reverse=True)
        assert oldest == sorted(oldest)

    async def test_a_row_shows_step_and_snapshot_but_no_outputs(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(workflow(), outputs={"input": b"big"})
        second = then(first, snapshot=b"second")
        await committed(backend, clock, first)
        await committed(backend, clock, second)
        (row,) = (await backend.store.query(Query())).rows
        assert (row.workflow_id, row.step_id) == (workflow(), step_id(workflow(), 2))
        assert (row.snapshot, dict(row.outputs)) == (b"second", {})

    async def test_bare_rows_are_the_same_rows_without_what_they_hold(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await many(backend, clock)
        for query in (Query(limit=7), Query(status=("failed", "running"), limit=7)):
            full = await backend.store.query(query)
            bare = await backend.store.query(replace(query, bare=True))
            assert [row.workflow_id for row in bare.rows] == [row.workflow_id for row in full.rows]
            assert bare.cursor == full.cursor
            assert {(row.step_id, row.snapshot) for row in bare.rows} == {("", b"")}

    async def test_a_step_that_changes_the_entry_moves_the_workflow(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        labels = {"team": "red"}
        first = start(workflow(), index=entry(status="running", labels=labels))
        await committed(backend, clock, first)
        changed = entry(
            status="failed", labels={"team": "blue"}, waiting=(), updated_at_ms=5_000, key="new"
        )
        await committed(backend, clock, then(first, index=changed))
        olds = [Query(status="running"), Query(label=("team", "red")), Query(waiting="task")]
        news = [Query(status="failed"), Query(label=("team", "blue")), Query(text="new")]
        assert [await all_pages(backend, query) for query in olds] == [[], [], []]
        assert [await all_pages(backend, query) for query in news] == [[workflow()]] * 3
        assert await all_pages(backend, Query(updated_before_ms=5_000)) == []

    async def test_a_step_without_an_entry_leaves_the_old_one(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(workflow(), index=entry(status="waiting"))
        await committed(backend, clock, first)
        await committed(backend, clock, then(first, index=None))
        assert await all_pages(backend, Query(status="waiting")) == [workflow()]

    @pytest.mark.parametrize("oldest_first", [False, True])
    async def test_rows_that_do_not_change_are_paged_exactly_once(
        self, backend: Backend, clock: VirtualClock, oldest_first: bool
    ) -> None:
        entries = await many(backend, clock)
        movers = set(sorted(entries)[::4])
        query, seen = Query(limit=5, oldest_first=oldest_first), list[str]()
        steps: list[Commit] = [start(id_, index=entries[id_]) for id_ in sorted(movers)]
        while True:
            page = await backend.store.query(query)
            seen += [row.workflow_id for row in page.rows]
            if page.cursor is None:
                break
            query = replace(query, cursor=page.cursor)
            if steps:
                update_ms = 900 + len(steps) * 20
                await committed(
                    backend, clock, then(steps.pop(), index=entry(updated_at_ms=update_ms))
                )
        still = [id_ for id_ in seen if id_ not in movers]
        assert sorted(still) == sorted(set(entries) - movers)

    @pytest.mark.parametrize("cursor", ["", "nonsense", "1.2.3", "\x00", "ünï", "{}", "-1"])
    async def test_a_cursor_that_was_never_handed_out_is_refused(
        self, backend: Backend, cursor: str
    ) -> None:
        with pytest.raises(CursorInvalid):
            await backend.store.query(Query(cursor=cursor))

    async def test_workflows_are_counted_by_status(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        assert not any((await backend.store.counts()).values())
        await many(backend, clock)
        moved = start(workflow(100), index=entry(status="running"))
        await committed(backend, clock, moved)
        await committed(backend, clock, then(moved, index=entry(status="cancelled")))
        counted = {status: n for status, n in (await backend.store.counts()).items() if n}
        assert counted == {
            "running": 15,
            "waiting": 15,
            "failed": 15,
            "completed": 15,
            "cancelled": 1,
        }
