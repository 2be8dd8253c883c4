"""Commits of the same moment become one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from stagewright.application import committer as subject
from stagewright.application.committer import Committer
from stagewright.domain.errors import Unreachable
from stagewright.ports.commit import Commit, Verdict
from stagewright.testing.clock import VirtualClock, settle


class Store:
    """A store that answers when it is told to."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = asyncio.Event()
        self.error: BaseException | None = None

    async def commit(self, commits: Sequence[Commit], _now_ms: int) -> list[Verdict]:
        self.calls.append([commit.step_id for commit in commits])
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [Verdict.CONFLICT if "x" in c.step_id else Verdict.COMMITTED for c in commits]


def commit(workflow_id: str, step_id: str) -> Commit:
    return Commit(workflow_id, None, step_id, b"{}")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def made(store: Store) -> Committer:
    anything: Any = store
    return Committer(anything, VirtualClock())


async def begun(made: Committer, *steps: str) -> list[asyncio.Task[Verdict]]:
    """Begin a commit of each; the workflow is the first letter of the step."""
    tasks = [asyncio.create_task(made.commit(commit(step[0], step))) for step in steps]
    await settle()
    return tasks


async def test_those_who_come_while_a_call_is_under_way_share_the_next(
    store: Store, made: Committer
) -> None:
    tasks = await begun(made, "a1")
    tasks += await begun(made, "b1", "c1")
    store.gate.set()
    assert await asyncio.gather(*tasks) == [Verdict.COMMITTED] * 3
    assert store.calls == [["a1"], ["b1", "c1"]]


async def test_each_gets_its_own_verdict(store: Store, made: Committer) -> None:
    store.gate.set()
    tasks = await begun(made, "a1", "bx")
    assert await asyncio.gather(*tasks) == [Verdict.COMMITTED, Verdict.CONFLICT]


async def test_one_call_names_a_workflow_once(store: Store, made: Committer) -> None:
    store.gate.set()
    await asyncio.gather(*await begun(made, "a1", "a2", "b1"))
    assert store.calls == [["a1", "b1"], ["a2"]]


async def test_a_call_is_bounded(
    store: Store, made: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "BATCH", 2)
    store.gate.set()
    await asyncio.gather(*await begun(made, "a1", "b1", "c1"))
    assert store.calls == [["a1", "b1"], ["c1"]]


async def test_a_call_that_failed_is_told_to_all_who_were_in_it(
    store: Store, made: Committer
) -> None:
    store.error = Unreachable("store")
    store.gate.set()
    answers = await asyncio.gather(*await begun(made, "a1", "b1"), return_exceptions=True)
    assert answers == [store.error, store.error]


async def test_after_a_failed_call_the_next_one_works(store: Store, made: Committer) -> None:
    store.error = Unreachable("store")
    store.gate.set()
    await asyncio.gather(*await begun(made, "a1"), return_exceptions=True)
    store.error = None
    assert await asyncio.gather(*await begun(made, "a2")) == [Verdict.COMMITTED]


async def test_a_caller_who_has_gone_stops_nobody(store: Store, made: Committer) -> None:
    gone, stays = await begun(made, "a1", "b1")
    gone.cancel()
    await settle()
    store.gate.set()
    assert await stays is Verdict.COMMITTED


async def test_a_caller_who_has_gone_stops_nobody_when_the_call_fails(
    store: Store, made: Committer
) -> None:
    gone, stays = await begun(made, "a1", "b1")
    store.error = Unreachable("store")
    gone.cancel()
    await settle()
    store.gate.set()
    with pytest.raises(Unreachable):
        await stays


class Killed(BaseException):
    """The process ends."""


async def test_whatever_ends_the_call_ends_it_for_all(store: Store, made: Committer) -> None:
    store.error = Killed()
    store.gate.set()
    answers = await asyncio.gather(*await begun(made, "a1", "b1"), return_exceptions=True)
    assert answers == [store.error, store.error]
