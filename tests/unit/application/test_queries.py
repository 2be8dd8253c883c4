"""Views: what is, for people and programs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stagewright.application.inbox import Refusal
from stagewright.application.ownership import PRESENT, owner_key
from stagewright.application.signs import AGENTS, give_sign
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import CursorInvalid, NotFound, Refused, Unreachable
from stagewright.ports.health import PortHealth
from stagewright.ports.task import TaskLease
from stagewright.ports.workflow_store import Query
from stagewright.testing.clock import settle
from tests.unit.application.test_live import make_unreadable
from tests.unit.application.world import World, dumps, running
from tests.unit.domain.kernel import agent, approval

ONCE = {"attempts": 1}


async def with_worker(world: World, *lanes: str) -> None:
    """Say that a process serves these lanes."""
    agents: dict[str, Any] = {}
    for lane in lanes:
        agents.setdefault(lane.partition("@")[0], {"lanes": []})["lanes"].append(lane)
    body = dumps({"host": "h", "pid": 7, "started_at_ms": 0, "agents": agents})
    await world.backend.kv.set(f"{AGENTS}w1", body, 60.0, world.clock.now_ms())


async def test_a_workflow_is_shown_with_its_stages_outputs_and_reasons(world: World) -> None:
    await world.register(agent("build"), agent("check", max_visits=3), approval("sign"))
    id_ = await world.start({"n": 1}, key="order-7")
    await world.does("build", {"n": 2})
    view = await world.queries.show(id_)
    assert (view.status, view.current_stage, view.progress) == ("running", "check", 33)
    assert [(s.name, s.status, s.visit, s.max_visits) for s in view.stages] == [
        ("build", "ended", 1, None),
        ("check", "active", 1, 3),
        ("sign", "pending", 0, None),
    ]
    assert (view.input, view.stage_outputs, view.output) == ({"n": 1}, {"build": {"n": 2}}, None)
    (reason,) = view.waiting
    assert reason.reason.endswith("no live agent of check@^1")


async def test_a_result_that_is_in_no_inbox_any_more_is_shown_as_a_dead_letter(
    world: World,
) -> None:
    await world.register()
    id_ = await world.start()
    await world.publish(id_, b"garbage")
    await world.done("build")
    garbage, result = await world.inbox()
    await world.processor.reject(Refusal(garbage, "garbage"))
    (before,) = (await world.queries.show(id_)).waiting
    await world.processor.reject(Refusal(result, "it killed six"))
    (after,) = (await world.queries.show(id_)).waiting
    letter = next(one for one in await world.letters() if one.reason == "it killed six")
    assert (before.kind, before.detail) == ("done", {})
    assert (after.owner, after.detail) == ("people", {"letter": letter.letter_id})


async def test_what_an_attempt_before_left_as_a_dead_letter_explains_nothing(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (old,) = await world.claim("build")
    await world.publish(id_, world.envelope(old))
    await world.backend.tasks.release(
        [TaskLease(old.task_id, old.token)], lost=True, now_ms=world.clock.now_ms()
    )
    await world.processor.reject(Refusal((await world.inbox())[0], "stale token"))
    await world.done("build")
    (found,) = (await world.queries.show(id_)).waiting
    assert (found.kind, found.detail) == ("done", {})


async def test_a_finished_workflow_shows_its_end(world: World) -> None:
    await world.register(agent("build", retry=ONCE))
    id_ = await world.start()
    await world.fails("build")
    await world.apply()
    view = await world.queries.show(id_)
    assert (view.status, view.reason, view.waiting) == ("failed", "build ended as failed", [])
    assert view.errors[0]["message"] == "build broke"
    assert view.finished_at_ms == world.clock.now_ms()


async def test_a_completed_workflow_shows_its_output(world: World) -> None:
    await world.register(agent("build"))
    id_ = await world.start()
    await world.does("build", [1, 2])
    view = await world.queries.show(id_)
    assert (view.status, view.output, view.progress) == ("completed", [1, 2], 100)


@pytest.mark.parametrize("id_", ["p00-" + "0" * 32, "p99-x", "nonsense"])
async def test_what_does_not_exist_is_not_found(world: World, id_: str) -> None:
    with pytest.raises(NotFound):
        await world.queries.show(id_)
    with pytest.raises(NotFound):
        await world.queries.log(id_)


async def test_what_cannot_be_read_says_why(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await make_unreadable(world, id_)
    with pytest.raises(Refused, match="newer version"):
        await world.queries.show(id_)


async def test_a_list_is_paged(world: World) -> None:
    await world.register()
    ids = []
    for number in range(3):
        ids.append(await world.start(labels={"n": str(number)}))
        await world.clock.advance(1)
    first = await world.queries.list(Query(limit=2))
    rest = await world.queries.list(Query(limit=2, cursor=first.cursor))
    assert [row.workflow_id for row in (*first.rows, *rest.rows)] == ids[::-1]
    assert rest.cursor is None
    assert (first.rows[0].waiting, first.rows[0].labels) == (["task"], {"n": "2"})


async def test_a_cursor_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(CursorInvalid):
        await world.queries.list(Query(cursor="nonsense"))


async def test_a_log_is_paged(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "pause")
    first = await world.queries.log(id_, limit=1)
    rest = await world.queries.log(id_, after=first.after or 0)
    assert [record["n"] for record in (*first.records, *rest.records)] == [1, 2]
    assert (first.after, rest.after) == (1, None)


async def test_definitions_are_listed_and_shown(world: World) -> None:
    await world.register(contracts=[Contract(name="build")])
    await world.register(agent("other"), name="other")
    views = await world.queries.definitions()
    assert [(view.name, view.contracts_checked) for view in views] == [
        ("job", True),
        ("other", False),
    ]
    assert [view.name for view in await world.queries.definitions("other")] == ["other"]
    shown = await world.queries.definition("other@1.0.0")
    assert shown["stages"][0]["name"] == "other"
    with pytest.raises(NotFound):
        await world.queries.definition("nowhere")


# --- health ---------------------------------------------------------------------------------------


async def test_without_an_orchestrator_the_level_is_minimal(world: World) -> None:
    await world.register()
    await world.start()
    view = await world.queries.system()
    assert (view.level, view.durability, view.partitions) == ("minimal", "none", 2)
    assert "no orchestrator is alive" in view.reason
    assert view.counts == {"running": 1}
    assert [(lane.lane, lane.queued, lane.live_agents) for lane in view.lanes] == [
        ("build@1.0", 1, 0)
    ]
    assert [(port.port, port.ok) for port in view.ports] == [
        ("store", True),
        ("bus", True),
        ("kv", True),
    ]


async def test_with_an_orchestrator_and_agents_the_level_is_full(world: World) -> None:
    await world.register()
    await world.start()
    await with_worker(world, "build@1.0")
    async with running(world.orchestrator()):
        view = await world.queries.system()
    assert (view.level, view.reason) == ("full", "everything moves")
    assert view.owners == {0: "one", 1: "one"}
    assert [(a.holder, a.pid) for a in view.agents] == [("w1", 7)]


async def test_with_a_lane_that_nobody_serves_the_level_is_limited(world: World) -> None:
    await world.register()
    await world.start()
    async with running(world.orchestrator()):
        view = await world.queries.system()
    assert (view.level, view.reason) == ("limited", "no live agent for build@1.0")


async def test_with_a_partition_that_nobody_owns_the_level_is_limited(world: World) -> None:
    async with running(world.orchestrator()):
        await world.backend.kv.delete(owner_key(1))
        view = await world.queries.system()
    assert (view.level, view.reason) == ("limited", "partitions without an owner: 1")


class Broken:
    """A port that answers badly or not at all."""

    def __init__(self, answer: PortHealth | Exception) -> None:
        self._answer = answer

    async def health(self) -> PortHealth:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    "answer", [Unreachable("kv", "refused"), PortHealth(False, "none", "kv does not answer")]
)
async def test_with_a_port_that_does_not_answer_the_level_is_offline(
    world: World, answer: Any
) -> None:
    view = await world.with_ports(kv=Broken(answer)).queries.system()
    assert (view.level, view.lanes, view.owners) == ("offline", [], {})
    assert view.reason.startswith("kv does not answer")


async def test_with_a_store_that_refuses_changes_the_level_is_minimal_and_all_can_be_read(
    world: World,
) -> None:
    await world.register()
    await world.start()
    full = PortHealth(ok=True, durability="process", refusing="the disk is full")
    async with running(world.orchestrator()):
        view = await world.with_ports(bus=Broken(full)).queries.system()
    assert view.level == "minimal"
    assert view.reason == "all can be read, but nothing is accepted: the disk is full"
    assert view.counts == {"running": 1}
    assert [port.refusing for port in view.ports] == ["", "the disk is full", ""]


async def test_orchestrators_are_shown_with_their_last_sign_of_life(world: World) -> None:
    async with running(world.orchestrator()):
        view = await world.queries.system()
    (one,) = view.orchestrators
    assert (one.holder, one.told_at_ms) == ("one", view.at_ms)
    assert one.next_s == pytest.approx(10 / 2)


@pytest.mark.parametrize("prefix", [AGENTS, PRESENT])
async def test_who_fell_silent_is_shown_for_a_while_whatever_else_the_store_is_asked(
    world: World, prefix: str
) -> None:
    kv, told_at_ms = world.backend.kv, world.clock.now_ms()
    facts = {"host": "h", "pid": 7, "started_at_ms": 1, "agents": {}}
    promise = {"next_s": 5.0, "lasts_s": 15.0}
    await give_sign(kv, f"{prefix}w1", facts, **promise, now_ms=told_at_ms)
    seen = []
    for later_s in (14.9, 0.1, 599.8, 0.2):
        await world.clock.advance(later_s)
        await kv.set("unrelated", b"", 1.0, world.clock.now_ms())  # stores purge as they go
        view = await world.queries.system()
        alive = [*view.agents, *view.orchestrators]
        seen.append(([one.holder for one in alive], [one.holder for one in view.silent]))
    assert seen == [(["w1"], []), ([], ["w1"]), ([], ["w1"]), ([], [])]


async def test_who_fell_silent_is_shown_with_what_it_is_and_since_when(world: World) -> None:
    told_at_ms = world.clock.now_ms()
    promise = {"next_s": 5.0, "lasts_s": 15.0}
    await give_sign(world.backend.kv, f"{PRESENT}o1", {}, **promise, now_ms=told_at_ms)
    await world.clock.advance(60)
    (silent,) = (await world.queries.system()).silent
    assert (silent.kind, silent.holder, silent.told_at_ms) == ("orchestrator", "o1", told_at_ms)


async def test_whose_clock_is_behind_by_more_than_its_promise_looks_silent(world: World) -> None:
    slow_ms = world.clock.now_ms() - 16_000
    promise = {"next_s": 5.0, "lasts_s": 15.0}
    facts = {"host": "h", "pid": 7, "started_at_ms": 1, "agents": {}}
    await give_sign(world.backend.kv, f"{AGENTS}w1", facts, **promise, now_ms=slow_ms)
    view = await world.queries.system()
    assert ([one.holder for one in view.silent], view.agents) == (["w1"], [])


async def test_whose_clock_is_ahead_does_not_make_others_disappear(world: World) -> None:
    promise = {"next_s": 5.0, "lasts_s": 15.0}
    facts = {"host": "h", "pid": 7, "started_at_ms": 1, "agents": {}}
    now_ms = world.clock.now_ms()
    await give_sign(world.backend.kv, f"{AGENTS}w1", facts, **promise, now_ms=now_ms)
    await give_sign(world.backend.kv, f"{AGENTS}w2", facts, **promise, now_ms=now_ms + 60_000)
    await world.backend.kv.scan(AGENTS, now_ms + 60_000)
    assert [one.holder for one in (await world.queries.system()).agents] == ["w1", "w2"]


async def test_losses_that_were_noticed_are_shown_in_order(world: World) -> None:
    for at_ms, loss in ((5, b"second"), (4, b"first")):
        await world.backend.kv.set(f"loss:{at_ms}", loss, None, 0)
    assert (await world.queries.system()).losses == ["first", "second"]


async def test_waiting_for_the_end_returns_when_the_workflow_ends(world: World) -> None:
    await world.register()
    id_ = await world.start()
    asked = asyncio.create_task(world.queries.ended(id_, 60.0))
    await settle()
    await world.does("build")
    await settle()
    assert not asked.done()
    await world.does("check")
    assert (await asked).status == "completed"
    assert (await world.queries.ended(id_, 60.0)).status == "completed"  # and at once from now on


async def test_waiting_for_an_end_that_does_not_come_returns_what_is(world: World) -> None:
    await world.register()
    id_ = await world.start()
    asked = asyncio.create_task(world.queries.ended(id_, 5.0))
    await settle()
    await world.clock.advance(5.0)
    assert (await asked).status == "running"
    with pytest.raises(NotFound):
        await world.queries.ended("p00-nothing", 5.0)


async def test_a_row_that_cannot_be_read_does_not_hide_the_others(world: World) -> None:
    await world.register()
    broken, whole = await world.start(), await world.start()
    await make_unreadable(world, broken)
    rows = {row.workflow_id: row.status for row in (await world.queries.list(Query())).rows}
    assert rows == {broken: "unreadable", whole: "running"}
