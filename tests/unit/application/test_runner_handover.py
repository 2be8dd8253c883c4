"""Results: through the inbox, or decided and committed by the runner itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from stagewright.application.batch import BatchProcessor, Wish
from stagewright.application.inbox import read_message
from stagewright.application.live import LiveWorkflows
from stagewright.application.runner_handover import ROUNDS, BySteps, ThroughInbox
from stagewright.domain.contracts import Contract
from stagewright.domain.envelope import StageResult, parse_envelope
from stagewright.domain.errors import OutcomeUnknown
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Advanced, Claim, Want
from tests.unit.application.world import LEASE_S, World, envelope
from tests.unit.domain.kernel import agent, parallel

NUMBER = Contract(name="build", output={"type": "integer"})


@dataclass
class Racing:
    """A queue and store in which somebody else is faster, or an answer is lost, so many times."""

    queue: Any
    store: Any
    first: Callable[[], Awaitable[Any]] | None = None
    races: int = 0
    lost: int = 0
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.queue, name, None) or getattr(self.store, name)

    async def _race(self, call: str) -> None:
        self.calls.append(call)
        if self.races and self.first:
            self.races -= 1
            await self.first()

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        await self._race("commit")
        verdicts: Sequence[Verdict] = await self.store.commit(commits, now_ms)
        return verdicts

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        await self._race("advance")
        advanced: Advanced = await self.queue.advance(commits, claim, now_ms)
        if self.lost:
            self.lost -= 1
            raise OutcomeUnknown("queue", "the answer was lost")
        return advanced

    async def complete(self, *parts: Any) -> Any:
        self.calls.append("complete")
        return await self.queue.complete(*parts)


def wish(*agents: str, slots: int = 10) -> Wish:
    lanes = tuple(f"{name}@1.0" for name in (agents or ("build", "check")))
    return Wish(Claim("worker-1", (Want(lanes, slots),), LEASE_S))


def result(task: ClaimedTask, value: Any = None, **fields: Any) -> StageResult:
    return parse_envelope(envelope(task, value, **fields))


def by_steps(world: World) -> BySteps:
    """A runner's handover, with a cache of its own."""
    lives = LiveWorkflows(world.backend.store, world.catalog)
    processor = BatchProcessor(world.backend, lives, world.clock, world.ids, world.randomness)
    return BySteps(lives, processor, ThroughInbox(world.backend.tasks, world.clock))


def racing(world: World, **how: Any) -> tuple[World, Racing]:
    """The world as a runner sees it whose calls lose races or answers."""
    ports: Any = Racing(world.backend.tasks, world.backend.store, **how)
    return world.with_ports(tasks=ports, store=ports), ports


async def test_a_result_is_decided_and_the_next_task_claimed_in_one_call(world: World) -> None:
    world, queue = racing(world)
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim()
    wanted = wish()
    await by_steps(world).hand_in([result(task, 1)], wanted)
    assert queue.calls == ["commit", "advance"]  # the start, the step
    assert [found.lane for found in wanted.granted or ()] == ["check@1.0"]
    assert list((await world.state(id_)).awaiting) == ["check"]
    assert await world.inbox() == []


async def test_without_a_wish_the_step_is_committed_and_nothing_claimed(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim()
    await by_steps(world).hand_in([result(task, 1)], None)
    assert await world.tasks(id_) == {"check/1/1": "queued"}


async def test_a_cache_that_another_process_overtook_is_read_anew(world: World) -> None:
    await world.register(agent("build"), agent("check"), agent("ship"))
    id_ = await world.start()
    mine = by_steps(world)
    (task,) = await world.claim("build")
    await mine.hand_in([result(task, 1)], None)
    await world.does("check", 2)  # by others
    (task,) = await world.claim("ship")
    await mine.hand_in([result(task, 3)], None)
    assert (await world.state(id_)).status.value == "completed"


@pytest.mark.parametrize("races", [1, ROUNDS])
async def test_a_result_that_loses_all_its_races_goes_through_the_inbox(
    world: World, races: int
) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim()
    signals = iter(range(races))

    async def signal() -> None:
        await world.command(id_, "signal", name=f"s{next(signals)}")

    runners, ports = racing(world, first=signal, races=races)
    wanted = wish()
    await by_steps(runners).hand_in([result(task, 1)], wanted)
    assert ports.calls == ["advance", "commit", "complete"][: races + 1]
    expected = {"check/1/1": "queued"} if races < ROUNDS else {"build/1/1": "done"}
    assert await world.tasks(id_) == expected
    await world.apply()
    assert list((await world.state(id_)).awaiting) == ["check"]


async def test_a_lost_answer_is_handed_in_again_and_applied_once(world: World) -> None:
    world, _ = racing(world, lost=1)
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim()
    mine = by_steps(world)
    with pytest.raises(OutcomeUnknown):
        await mine.hand_in([result(task, 1)], wish())
    await mine.hand_in([result(task, 1)], wish())
    state = await world.state(id_)
    assert (state.step, list(state.awaiting)) == (2, ["check"])


async def test_branches_that_end_together_are_one_step(world: World) -> None:
    await world.register(parallel("both", [agent("build")], [agent("check")]))
    id_ = await world.start()
    results = [result(task, 1) for task in await world.claim()]
    await by_steps(world).hand_in(results, None)
    assert (await world.state(id_)).status.value == "completed"


async def test_a_result_under_a_stale_token_changes_nothing(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim()
    await world.lose_lease(task)
    (again,) = await world.claim()
    await by_steps(world).hand_in([result(task, 1)], None)
    assert await world.tasks(id_) == {"build/1/1": "leased"}
    assert await by_steps(world).hand_in([result(again, 1)], None) is None
    assert await world.tasks(id_) == {"check/1/1": "queued"}


async def test_an_output_against_the_workflows_contract_is_kept_as_a_dead_letter(
    world: World,
) -> None:
    await world.register(contracts=[NUMBER])
    await world.start()
    (task,) = await world.claim("build")
    await by_steps(world).hand_in([result(task, "seven")], None)
    (letter,) = await world.letters()
    assert letter.reason.startswith("contract violated at output")
    assert parse_envelope(letter.body).value == "seven"


async def test_through_the_inbox_a_result_is_an_envelope(world: World) -> None:
    await world.register()
    await world.start()
    (task,) = await world.claim()
    wanted = wish()
    inbox = ThroughInbox(world.backend.tasks, world.clock)
    await inbox.hand_in([result(task, 5)], wanted)
    (message,) = await world.inbox()
    work: Any = read_message(message)
    assert (work.result.value, list(wanted.granted or ())) == (5, [])
