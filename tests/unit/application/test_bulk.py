"""One action on many workflows, as a job that outlives whoever asked for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from stagewright.application import bulk as module
from stagewright.application.bulk import Bulk
from stagewright.application.bulk_jobs import command_id_of
from stagewright.domain.errors import Conflict, NotFound, Unreachable
from stagewright.ports.bulk import BulkRequest, BulkView
from stagewright.ports.control import CommandReply, CommandRequest
from stagewright.ports.workflow_store import Query
from stagewright.testing.clock import settle
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, wait


def bulk(world: World) -> Bulk:
    return Bulk(world.backend, world.commands, world.clock, world.ids)


def request(action: str = "cancel", **fields: Any) -> BulkRequest:
    return BulkRequest.model_validate({"action": action, "by": "ann", **fields})


async def started(world: World, count: int, **fields: Any) -> list[str]:
    await world.register()
    return [await world.start(**fields) for _ in range(count)]


async def finished(world: World, jobs: Bulk, job_id: str | None) -> BulkView:
    """Ask again and again, as time passes."""
    async with world.clock.auto():
        for _ in range(100):
            view = await jobs.job(job_id or "")
            if view.status == "done":
                return view
    raise AssertionError("The job has no end.")


async def statuses(world: World, *ids: str) -> set[str]:
    return {(await world.state(id_)).status.value for id_ in ids}


async def test_a_filter_means_all_that_fits_it(world: World) -> None:
    ids = await started(world, 7, labels={"team": "web"})
    other = await world.start()
    jobs = bulk(world)
    begun = await jobs.begin(request(filter={"label": {"team": "web"}, "status": ["running"]}))
    assert (begun.status, begun.done) == ("selecting", 0)
    view = await finished(world, jobs, begun.job_id)
    assert (view.total, view.done, view.changed, view.progress) == (7, 7, 7, 100)
    assert await statuses(world, *ids) == {"cancelled"}
    assert await statuses(world, other) == {"running"}
    assert (await world.state(ids[0])).ending is not None


async def test_each_refusal_is_named(world: World) -> None:
    first, second = await started(world, 2)
    await world.command(first, "cancel")
    jobs = bulk(world)
    begun = await jobs.begin(request("pause", ids=[first, second, "p00-nothing"]))
    view = await finished(world, jobs, begun.job_id)
    assert (view.changed, view.refused) == (1, 2)
    assert [(r.workflow_id, r.kind) for r in view.refusals] == [
        (first, "already-decided"),
        ("p00-nothing", "workflow-not-found"),
    ]
    assert "it has ended: cancelled" in view.refusals[0].detail


async def test_a_dry_run_counts_and_changes_nothing(world: World) -> None:
    ids = await started(world, 3)
    jobs = bulk(world)
    view = await jobs.begin(request(filter={"definition": "job"}, dry_run=True))
    assert (view.job_id, view.status, view.total) == (None, "dry-run", 3)
    assert set(view.sample) == set(ids)
    assert await jobs.jobs() == []
    assert await statuses(world, *ids) == {"running"}


async def test_the_same_key_gives_the_same_job(world: World) -> None:
    ids = await started(world, 2)
    asked = request(ids=ids, key="k")
    first = await bulk(world).begin(asked)
    assert (await bulk(world).begin(asked)).job_id == first.job_id
    with pytest.raises(Conflict, match="another body"):
        await bulk(world).begin(request("pause", ids=ids, key="k"))


async def test_a_key_whose_job_was_never_written_begins_it(world: World) -> None:
    ids = await started(world, 2)
    asked = request(ids=ids, key="k")
    first = await bulk(world).begin(asked)
    await world.backend.kv.delete(f"bulk:job:{first.job_id}")
    again = await bulk(world).begin(asked)
    assert again.job_id == first.job_id
    assert (await finished(world, bulk(world), again.job_id)).changed == 2


class Dying:
    """Commands of a process that dies after some of them: the last ones took effect."""

    def __init__(self, world: World, after: int) -> None:
        self._world, self._left = world, after

    async def command(self, workflow_id: str, command: CommandRequest) -> CommandReply:
        reply = await self._world.commands.command(workflow_id, command)
        self._left -= 1
        if self._left < 0:
            raise asyncio.CancelledError
        return reply


@pytest.mark.parametrize("after", [0, 3, 8, 11])
async def test_another_goes_on_where_one_died_and_nothing_happens_twice(
    world: World, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    ids = await started(world, 12)
    dying: Any = Dying(world, after)
    first = Bulk(world.backend, dying, world.clock, world.ids)
    begun = await first.begin(request("pause", ids=ids))
    async with world.clock.auto():
        with pytest.raises(asyncio.CancelledError):
            await first.work(begun.job_id or "")
    await world.clock.advance(11)  # its lease runs out
    view = await finished(world, bulk(world), begun.job_id)
    assert (view.done, view.changed, view.refused) == (12, 12, 0)
    steps = [(await world.state(id_)).step for id_ in ids]
    assert steps == [2] * 12, "each was paused once"


async def test_a_filter_takes_so_many_and_says_that_there_are_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "PAGE", 2)
    await started(world, 7)
    view = await bulk(world).begin(request(filter={"definition": "job"}, dry_run=True))
    assert (view.total, view.exact) == (3, False)


async def test_who_was_away_too_long_leaves_the_job_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 60.0)
    monkeypatch.setattr(module, "BATCH", 1)
    one, other = bulk(world), bulk(world)
    begun = await one.begin(request(ids=await started(world, 3)))
    late = asyncio.create_task(one.work(begun.job_id or ""))
    await settle()
    await world.clock.advance(10)
    assert await other._jobs.lease(begun.job_id or "", other._holder, world.clock.now_ms())
    for _ in range(30):  # the other renews its lease
        await world.clock.advance(2)
        await other._jobs.lease(begun.job_id or "", other._holder, world.clock.now_ms())
    await late
    assert (await other.jobs())[0].status == "running"


async def test_a_server_bears_a_store_that_fails_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = bulk(world)
    begun = await jobs.begin(request(ids=await started(world, 1)))
    every, failures = jobs._jobs.every, [Unreachable("the store")]

    async def sometimes(now_ms: int) -> Any:
        if failures:
            raise failures.pop()
        return await every(now_ms)

    monkeypatch.setattr(jobs._jobs, "every", sometimes)
    duty = asyncio.create_task(jobs.run())
    await settle()
    for _ in range(5):
        await world.clock.advance(1)
        await settle()
    duty.cancel()
    assert [job.status for job in await every(world.clock.now_ms())] == ["done"]
    assert begun.job_id is not None


async def test_who_holds_the_job_keeps_others_from_it(world: World) -> None:
    ids = await started(world, 2)
    one, other = bulk(world), bulk(world)
    begun = await one.begin(request(ids=ids))
    now_ms = world.clock.now_ms()
    assert await one._jobs.lease(begun.job_id or "", one._holder, now_ms)
    assert (await other.job(begun.job_id or "")).done == 0
    await one._jobs.release(begun.job_id or "", one._holder, now_ms)
    assert (await finished(world, other, begun.job_id)).done == 2


async def test_a_list_of_jobs_carries_neither_requests_nor_refusals(world: World) -> None:
    await started(world, 1)
    jobs = bulk(world)
    begun = await jobs.begin(request(ids=["p00-nothing"], reason="r" * 2_000))
    assert len((await finished(world, jobs, begun.job_id)).refusals) == 1
    (listed,) = await jobs.jobs()
    assert (listed.refused, listed.refusals) == (1, [])
    record = await world.backend.kv.get(f"bulk:job:{begun.job_id}", world.clock.now_ms())
    assert record is not None
    assert len(record) < 500


async def test_a_server_works_without_being_asked(world: World) -> None:
    ids = await started(world, 3)
    jobs = bulk(world)
    begun = await jobs.begin(request(ids=ids))
    duty = asyncio.create_task(jobs.run())
    await settle()
    await world.clock.advance(1)
    duty.cancel()
    assert (await jobs.jobs())[0].status == "done"
    assert await statuses(world, *ids) == {"cancelled"}
    assert begun.job_id is not None


async def test_a_store_that_fails_ends_the_batch_and_counts_nobody_as_refused(
    world: World,
) -> None:
    ids = await started(world, 2)

    class Away:
        async def command(self, *_: Any) -> CommandReply:
            raise Unreachable("the store")

    away: Any = Away()
    broken = Bulk(world.backend, away, world.clock, world.ids)
    begun = await broken.begin(request(ids=ids))
    async with world.clock.auto():
        with pytest.raises(Unreachable):
            await broken.job(begun.job_id or "")
    view = await finished(world, bulk(world), begun.job_id)
    assert (view.changed, view.refused) == (2, 0)


async def test_signals_and_retries_are_given_to_many(world: World) -> None:
    await world.register(wait("paid", signal="paid"), agent("build"))
    ids = [await world.start() for _ in range(3)]
    jobs = bulk(world)
    signalled = await jobs.begin(request("signal", ids=ids, name="paid", data=7))
    assert (await finished(world, jobs, signalled.job_id)).changed == 3
    assert (await world.queries.show(ids[0])).stage_outputs["paid"] == 7
    cancelled = await jobs.begin(request(ids=ids))
    await finished(world, jobs, cancelled.job_id)
    again = await jobs.begin(request("retry", filter={"status": ["cancelled"]}, key="again"))
    assert (await finished(world, jobs, again.job_id)).changed == 3
    assert len((await world.queries.list(Query(status=("running", "waiting")))).rows) == 3


async def test_a_job_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="kept for a day"):
        await bulk(world).job("0" * 32)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "either `ids` or `filter`"),
        ({"ids": ["p00-1"], "filter": {"definition": "job"}}, "either `ids` or `filter`"),
        ({"filter": {}}, "everything"),
        ({"action": "signal", "ids": ["p00-1"]}, "needs a `name`"),
        ({"filter": {"status": ["odd"]}}, "status"),
    ],
)
def test_a_request_that_says_too_little_or_too_much_is_refused(
    fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        request(**fields)


def test_a_command_id_is_a_uuid_of_the_jobs_time_for_each_workflow() -> None:
    job_id = "0192f0c4a3b27e518c2a5d7e9f00aa11"
    one, other = command_id_of(job_id, "p00-1"), command_id_of(job_id, "p00-2")
    assert one != other
    assert one[:13] == other[:13] == "0192f0c4a3b27"
    assert len(one) == 32
