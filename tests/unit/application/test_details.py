"""Closer looks: the rounds of a stage, payloads, counts, and what waits for people."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagewright.application.control import Control
from stagewright.application.details import Details
from stagewright.application.usage import UsageLog
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import CursorInvalid, NotFound
from stagewright.domain.stage_result import BlobRef
from stagewright.ports.details import ApprovalQuery, Count
from stagewright.ports.workflow_store import Query
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, approval, parallel

REWORK = {"rejected": "build"}
CHECK = Contract(name="check")
TEMPLATE = {"goal": {"from": "input.goal"}, "review": {"from": "stages.check.output"}}


def details(world: World) -> Details:
    return Details(world.backend, world.catalog)


async def reworked(world: World) -> str:
    """A workflow whose second stage sent the first one back once."""
    await world.register(
        agent("build", **{"with": TEMPLATE, "max_visits": 3}), agent("check", on=REWORK)
    )
    id_ = await world.start({"goal": "g"})
    await world.does("build", {"n": 1}, usage={"tokens": 10})
    await world.clock.advance(1)
    await world.does("check", {"why": "dull"}, outcome="rejected", usage={"tokens": 1})
    await world.does("build", {"n": 2}, usage={"tokens": 30, "usd": 0.5})
    return id_


async def test_rework_is_shown_as_rounds_each_with_its_own_input_and_output(world: World) -> None:
    id_ = await reworked(world)
    first, second = (await details(world).stage(id_, "build")).visits
    assert (first.visit, first.outcome, first.to, first.output) == (1, "ok", "check", {"n": 1})
    assert first.input == {"goal": "g", "review": None}
    assert second.input == {"goal": "g", "review": {"why": "dull"}}
    assert (second.output, second.output_key) == ({"n": 2}, "build/2")
    assert (first.usage, second.usage) == ({"tokens": 10}, {"tokens": 30, "usd": 0.5})
    (check, again) = (await details(world).stage(id_, "check")).visits
    assert (check.input, check.input_key, check.outcome) == ({"n": 1}, "build/1", "rejected")
    assert (again.outcome, again.ended_at_ms, again.input_key) == (None, None, "build/2")


async def test_each_attempt_keeps_its_errors(world: World) -> None:
    await world.register(agent("build", retry={"attempts": 2}))
    id_ = await world.start()
    await world.fails("build")
    await world.apply()
    await world.command(id_, "retry")
    await world.does("build", 7)
    (visit,) = (await details(world).stage(id_, "build")).visits
    failed, done = visit.attempts
    assert (failed.ended_as, failed.errors[0]["message"]) == ("failed", "build broke")
    assert failed.retry_at_ms is not None
    assert (done.ended_as, done.errors, visit.outcome) == ("done", [], "ok")


async def test_a_stage_that_its_workflow_left_behind_is_over(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "cancel")
    (visit,) = (await details(world).stage(id_, "build")).visits
    assert (visit.outcome, visit.attempts[0].ended_as) == ("cancelled", "cancelled")


async def test_a_branch_that_is_not_needed_any_more_is_over(world: World) -> None:
    await world.register(parallel("race", [agent("build")], [agent("check")], join="any"))
    id_ = await world.start()
    await world.does("build", 1)
    (left,) = (await details(world).stage(id_, "check")).visits
    (group,) = (await details(world).stage(id_, "race")).visits
    assert (left.outcome, left.attempts[0].ended_as) == ("cancelled", "cancelled")
    assert (group.outcome, group.attempts) == ("ok", [])


async def test_what_is_held_keeps_its_errors_until_it_goes_on(world: World) -> None:
    await world.register(agent("build", retry={"attempts": 1}, on_failure="hold"))
    id_ = await world.start()
    await world.fails("build")
    await world.apply()
    (visit,) = (await details(world).stage(id_, "build")).visits
    assert (visit.attempts[0].ended_as, visit.outcome) == ("held", None)
    assert visit.errors[0]["message"] == "build broke"


async def test_a_repair_is_told_what_was_wrong(world: World) -> None:
    await world.register(contracts=[Contract(name="build", output={"type": "object"}), CHECK])
    id_ = await world.start()
    await world.does("build", "no object")
    (visit,) = (await details(world).stage(id_, "build")).visits
    broken, repair = visit.attempts
    assert (broken.ended_as, repair.ended_as) == ("invalid", None)
    assert broken.errors[0]["type"] == repair.repair[0]["type"] == "contract_violation"


async def test_an_input_made_of_a_big_payload_says_why_it_is_not_shown(world: World) -> None:
    inner = {"with": {"deep": {"from": "stages.build.output.n"}}}
    await world.register(agent("build"), agent("check", **inner))
    id_ = await world.start()
    hash_ = await world.backend.blobs.put(id_, b'{"n":7}')
    await world.does("build", blob=BlobRef(hash_, 7))
    (visit,) = (await details(world).stage(id_, "check")).visits
    assert (visit.input, visit.input_unknown) == (None, "it is made of a payload above 64 KiB")


async def test_decisions_stand_with_what_was_shown(world: World) -> None:
    shown = {"is": {"from": "input"}}
    await world.register(approval("gate", "ann", "bob", show=shown, required=2))
    id_ = await world.start({"n": 1})
    await world.command(id_, "approve", reason="fine")
    (visit,) = (await details(world).stage(id_, "gate")).visits
    assert [(vote.by, vote.decision, vote.comment) for vote in visit.votes] == [
        ("ann", "approved", "fine")
    ]
    assert visit.input == {"is": {"n": 1}}


async def test_a_stage_names_its_contract_and_its_notes(world: World) -> None:
    contract = Contract(name="build", output={"type": "object"})
    await world.register(contracts=[contract, Contract(name="check")])
    id_ = await world.start()
    found = await details(world).stage(id_, "build")
    assert found.contract is not None
    assert (found.contract["output"], found.contract["hash"]) == ({"type": "object"}, contract.hash)
    assert (found.agent, found.notes, found.complete) == ("build@^1", [], True)


async def test_a_stage_that_does_not_exist_names_those_that_do(world: World) -> None:
    await world.register()
    id_ = await world.start()
    with pytest.raises(NotFound, match="Known: build, check"):
        await details(world).stage(id_, "deploy")
    with pytest.raises(NotFound, match="No workflow"):
        await details(world).stage("p00-nothing", "build")


async def test_usage_is_summed_over_attempts_and_rounds(world: World) -> None:
    id_ = await reworked(world)
    usage = (await world.queries.show(id_)).usage
    assert usage.total == {"tokens": 41, "usd": 0.5}
    assert usage.stages == {"build": {"tokens": 40, "usd": 0.5}, "check": {"tokens": 1}}
    await world.does("check", None, usage={"tokens": 4})
    assert (await world.queries.show(id_)).usage.total == {"tokens": 45, "usd": 0.5}


async def test_a_log_with_another_past_is_summed_anew(world: World) -> None:
    id_ = await reworked(world)
    state = await world.state(id_)
    sums = UsageLog(world.backend.store)
    assert (await sums.of(state)).total["tokens"] == 41
    sums._held[id_].step, sums._held[id_].step_id = state.step - 1, "another"
    sums._held[id_].total["tokens"] = 1_000
    assert (await sums.of(state)).total["tokens"] == 41


async def test_a_log_that_repeats_itself_has_an_end(world: World) -> None:
    id_ = await reworked(world)
    workflow: Any = world.backend.store
    log = workflow._state.workflows[id_].log
    log.insert(1, log[0].replace(b'"id":"', b'"id":"x'))
    assert (await UsageLog(world.backend.store).of(await world.state(id_))).total["tokens"] == 41


async def test_a_payload_is_read_whole_also_a_big_one(world: World) -> None:
    await world.register()
    id_ = await world.start({"n": 1})
    hash_ = await world.backend.blobs.put(id_, b'"big"')
    await world.does("build", blob=BlobRef(hash_, 5))
    assert (await world.queries.show(id_)).stage_outputs["build"] == BlobRef(hash_, 5).to_json()
    assert await details(world).output(id_, "build/1") == b'"big"'
    assert orjson.loads(await details(world).output(id_, "input")) == {"n": 1}
    with pytest.raises(NotFound, match="payload"):
        await details(world).output(id_, "build/2")


@pytest.mark.parametrize(
    ("filters", "count"),
    [({}, 5), ({"status": "running"}, 4), ({"status": ("running", "cancelled")}, 5)],
)
async def test_workflows_are_counted_by_status(
    world: World, filters: dict[str, Any], count: int
) -> None:
    await world.register()
    ids = [await world.start() for _ in range(5)]
    await world.command(ids[0], "cancel")
    found = await details(world).count(Query(**filters), 2)
    assert (found.count, found.text) == (count, str(count)), "the index knows these by heart"


async def test_other_filters_are_counted_up_to_a_bound(world: World) -> None:
    await world.register()
    for _ in range(5):
        await world.start(labels={"team": "web"})
    query = Query(label=("team", "web"))
    assert await details(world).count(query, 5) == Count(count=5, exact=True)
    assert (await details(world).count(query, 4)).text == "4+"


# --- approvals ------------------------------------------------------------------------------------


async def test_an_approval_says_all_that_is_needed_to_decide_it(world: World) -> None:
    form = {"type": "object", "properties": {"note": {"type": "string"}}}
    stage = approval("gate", "ann", "group:ops", required=2, form=form, timeout_s=60.0, show=[1])
    await world.register({**stage, "description": "Look at the plan."})
    id_ = await world.start(name="Release 7")
    await world.command(id_, "approve", data={})
    (found,) = (await details(world).approvals(ApprovalQuery())).approvals
    assert (found.workflow_id, found.title, found.stage) == (id_, "Release 7", "gate")
    assert (found.approvers, found.required, found.missing) == (["ann", "group:ops"], 2, 1)
    assert (found.form, found.shown, found.description) == (form, [1], "Look at the plan.")
    assert [vote.by for vote in found.decided] == ["ann"]
    assert found.deadline_at_ms == found.since_ms + 60_000
    state = await world.state(id_)
    assert found.shown_hash == getattr(state.awaiting["gate"], "shown_hash", None)


@pytest.mark.parametrize(
    ("by", "groups", "seen"),
    [("ann", (), False), ("bob", (), False), ("bob", ("ops",), True), ("cy", ("group:ops",), True)],
)
async def test_an_inbox_holds_what_one_may_decide_and_has_not(
    world: World, by: str, groups: tuple[str, ...], seen: bool
) -> None:
    await world.register(approval("gate", "ann", "group:ops", required=2))
    await world.command(await world.start(), "approve")
    page = await details(world).approvals(ApprovalQuery(by=by, groups=groups))
    assert bool(page.approvals) is seen


async def test_approvals_are_paged(world: World) -> None:
    await world.register(approval("gate"))
    ids = []
    for _ in range(3):
        ids.append(await world.start())
        await world.clock.advance(1)
    first = await details(world).approvals(ApprovalQuery(limit=2, oldest_first=True))
    rest = await details(world).approvals(
        ApprovalQuery(limit=2, oldest_first=True, cursor=first.cursor)
    )
    assert [a.workflow_id for a in (*first.approvals, *rest.approvals)] == ids
    with pytest.raises(CursorInvalid):
        await details(world).approvals(ApprovalQuery(cursor="nonsense"))


async def test_a_control_brings_all_that_can_be_looked_at(world: World) -> None:
    control = Control(world.backend, world.clock, world.ids, world.randomness)
    assert isinstance(control.details, Details)


async def test_every_round_of_a_long_loop_can_be_looked_at(world: World) -> None:
    again = {"with": {"goal": {"from": "input.goal"}}, "max_visits": 100}
    await world.register(agent("build", on={"again": "build"}, **again))
    id_ = await world.start({"goal": "g"})
    for number in range(70):
        await world.does("build", {"n": number}, outcome="again")
    visits = (await details(world).stage(id_, "build")).visits
    assert [visit.output for visit in visits[:3]] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert orjson.loads(await details(world).output(id_, "build/1")) == {"n": 0}


async def test_stages_of_a_cancelled_workflow_ended_with_it_if_they_had_begun(world: World) -> None:
    await world.register(agent("build"), agent("check"), agent("ship"))
    id_ = await world.start({"goal": "g"})
    await world.does("build", {"n": 1})
    await world.command(id_, "cancel")
    looked = [await details(world).stage(id_, stage) for stage in ("build", "check", "ship")]
    assert [[visit.outcome for visit in one.visits] for one in looked] == [
        ["ok"],
        ["cancelled"],
        [],
    ]
    (attempt,) = looked[1].visits[0].attempts
    assert attempt.ended_as == "cancelled"


async def test_an_attempt_that_failed_before_stays_failed_when_the_workflow_is_cancelled(
    world: World,
) -> None:
    await world.register(agent("build", retry={"attempts": 3, "delay_s": 0}))
    id_ = await world.start({"goal": "g"})
    await world.fails("build")
    await world.apply()
    await world.command(id_, "cancel")
    (visit,) = (await details(world).stage(id_, "build")).visits
    assert [attempt.ended_as for attempt in visit.attempts] == ["failed", "cancelled"]


async def test_a_long_log_is_read_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await reworked(world)
    whole = await details(world).stage(id_, "build")
    monkeypatch.setattr("stagewright.application.details.PAGE", 1)
    assert (await details(world).stage(id_, "build")).visits == whole.visits
    usage = await UsageLog(world.backend.store).of(await world.state(id_))
    monkeypatch.setattr("stagewright.application.usage.PAGE", 1)
    assert await UsageLog(world.backend.store).of(await world.state(id_)) == usage


async def test_usage_of_few_workflows_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagewright.application.usage.HELD", 1)
    usage = UsageLog(world.backend.store)
    one = await world.state(await reworked(world))
    two = await world.state(await world.start({"goal": "h"}))
    before = await usage.of(one)
    assert before != await usage.of(two)
    assert await usage.of(one) == before


async def test_a_count_gives_up_where_it_would_look_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register(agent("build"))
    for number in range(4):
        await world.start({"goal": str(number)}, labels={"team": "web"})
    monkeypatch.setattr("stagewright.application.details.PAGE", 1)
    monkeypatch.setattr("stagewright.application.details.PAGES_COUNTED", 2)
    found = await details(world).count(Query(label=("team", "web")))
    assert found == Count(count=2, exact=False)
