"""Paging while others write: what was there throughout comes exactly once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from stagewright.ports.workflow_store import Query
from tests.unit.application.world import World, opened
from tests.unit.domain.kernel import agent, wait

WRITES = st.lists(
    st.tuples(st.sampled_from(["start", "pause", "resume", "cancel", "wait"]), st.integers(0, 11)),
    max_size=6,
)
QUERIES = st.builds(
    Query,
    status=st.sampled_from([None, "running", ("running", "paused"), ("cancelled", "running")]),
    label=st.sampled_from([None, ("team", "web"), (("team", "web"), ("tier", "1"))]),
    definition=st.sampled_from([None, "job"]),
    oldest_first=st.booleans(),
    limit=st.integers(1, 5),
)


async def write(world: World, ids: list[str], what: str, which: int) -> str | None:
    """Do something to some workflow; return which one moved."""
    if what == "wait":
        await world.clock.advance(1)
        return None
    if what == "start":
        ids.append(await world.start(labels={"team": "web", "tier": "1"}))
        return ids[-1]
    id_ = ids[which % len(ids)]
    try:
        await world.command(id_, what)
    except Exception:  # noqa: BLE001 - a refusal moves nothing
        return None
    return id_


async def all_of(world: World, query: Query) -> set[str]:
    page = await world.queries.list(replace(query, limit=1_000))
    return {row.workflow_id for row in page.rows}


async def walk(query: Query, rounds: list[list[tuple[str, int]]]) -> None:
    async with opened() as world:
        await world.register(agent("build"), wait("later", for_s=60))
        ids: list[str] = []
        for number in range(12):
            labels: dict[str, Any] = {"team": ("web", "ops")[number % 2], "tier": "1"}
            ids.append(await world.start(labels=labels))
            await write(world, ids, ("wait", "pause", "cancel")[number % 3], number)
        there, moved, seen = await all_of(world, query), set[str](), list[str]()
        writes = iter(rounds)
        while True:
            page = await world.queries.list(query)
            seen += [row.workflow_id for row in page.rows]
            if page.cursor is None:
                break
            query = replace(query, cursor=page.cursor)
            for what, which in next(writes, []):
                moved.add(await write(world, ids, what, which) or "")
        still = there - moved
        assert sorted(id_ for id_ in seen if id_ in still) == sorted(still)


@settings(max_examples=60)
@given(query=QUERIES, rounds=st.lists(WRITES, max_size=8))
def test_nothing_is_missed_and_nothing_comes_twice_among_what_stayed(
    query: Query, rounds: list[list[tuple[str, int]]]
) -> None:
    anyio.run(walk, query, rounds)
