"""Sees every claim, result, message and step on its way to the store, and knows what is stale."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from stagewright.domain.envelope import EnvelopeRejected, parse_envelope
from stagewright.domain.events import decode_step
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.message_bus import InboxMessage, Message, Received
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Advanced, Claim, Completed, Completion
from stagewright.ports.workflow_store import Tombstone


class Witness:
    """Notes tokens by itself: what it says does not rest on any fence of the backend's."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.refused = 0
        """Proofs that were not current any more: stale writes that came to nothing."""
        self._newest: dict[str, int] = {}
        self._results: dict[str, tuple[str, int]] = {}

    def watched(self, backend: Backend) -> Backend:
        """Return the backend with a witness."""
        tasks: Any = _Tasks(self, backend.tasks)
        store: Any = _Store(self, backend.store)
        bus: Any = _Bus(self, backend.bus)
        return replace(backend, tasks=tasks, store=store, bus=bus)

    def claims(self, claimed: Iterable[ClaimedTask]) -> None:
        """Note who holds which task now."""
        for task in claimed:
            self._newest[task.task_id] = task.token

    def results(self, completions: Iterable[Completion]) -> None:
        """Note under which token a result is handed in."""
        for completion in completions:
            if (known := task_of(completion.result)) is not None:
                self._results[known[0]] = (completion.task_id, completion.token)

    def current(self, task_id: str, token: int) -> bool:
        """Whether this is the token of the newest claim of a task."""
        return self._newest.get(task_id, token) == token

    def commits(self, commits: Sequence[Commit], verdicts: Sequence[Verdict]) -> None:
        """Hear what became of commits."""
        for commit, verdict in zip(commits, verdicts, strict=True):
            if verdict is Verdict.COMMITTED:
                self.steps(commit)
            else:
                self.refused += bool(commit.fences)

    def steps(self, commit: Commit) -> None:
        """Hold each result that was applied against the newest claim of its task."""
        for fence in commit.fences:
            if not self.current(fence.task_id, fence.token):
                newest = self._newest[fence.task_id]
                stale = f"{fence.task_id}: token {fence.token} was proved after {newest}"
                self.violations.append(stale)
        causes = [decode_step(body).cause for body in commit.log]
        if sum(cause.startswith("result ") for cause in causes) > len(commit.fences):
            self.violations.append(f"{commit.workflow_id}: a result was applied without proof")
        for cause in causes:
            task_id, token = self._results.get(cause, ("", 0))
            if not self.current(task_id, token):
                newest = self._newest[task_id]
                self.violations.append(f"{task_id}: token {token} was applied after {newest}")

    def received(self, messages: Iterable[InboxMessage]) -> None:
        """Hear what an orchestrator was given to read."""

    def acknowledged(self, messages: Iterable[InboxMessage]) -> None:
        """Hear which messages are about to be deleted without a step."""

    def rejected(self, message: InboxMessage, reason: str) -> None:
        """Hear which message is about to become a dead letter without a step."""

    def forgotten(self, workflow_id: str) -> None:
        """Hear which workflow gave way to its tombstone."""


def task_of(body: bytes) -> tuple[str, str, int] | None:
    """Return what a result in an inbox is: its cause, its task and its token."""
    try:
        envelope = parse_envelope(body)
    except EnvelopeRejected:
        return None
    return f"result {envelope.envelope_id}", str(envelope.task), envelope.token


class _Tasks:
    def __init__(self, witness: Witness, queue: Any) -> None:
        self._witness, self._queue = witness, queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        claimed: Sequence[ClaimedTask] = await self._queue.claim(claim, now_ms)
        self._witness.claims(claimed)
        return claimed

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        self._witness.results(completions)
        done: Completed = await self._queue.complete(completions, claim, now_ms)
        self._witness.refused += sum(not accepted for accepted in done.accepted)
        self._witness.claims(done.claimed)
        return done

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        advanced: Advanced = await self._queue.advance(commits, claim, now_ms)
        self._witness.commits(commits, advanced.verdicts)
        self._witness.claims(advanced.claimed)
        return advanced

    async def extend(self, *args: Any) -> Sequence[int | None]:
        answers: Sequence[int | None] = await self._queue.extend(*args)
        self._witness.refused += sum(answer is None for answer in answers)
        return answers


class _Store:
    def __init__(self, witness: Witness, store: Any) -> None:
        self._witness, self._store = witness, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        verdicts: Sequence[Verdict] = await self._store.commit(commits, now_ms)
        self._witness.commits(commits, verdicts)
        return verdicts

    async def forget(self, workflow_id: str, step_id: str, tombstone: Tombstone) -> bool:
        gone: bool = await self._store.forget(workflow_id, step_id, tombstone)
        if gone:
            self._witness.forgotten(workflow_id)
        return gone


class _Bus:
    def __init__(self, witness: Witness, bus: Any) -> None:
        self._witness, self._bus = witness, bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def receive(self, *args: Any) -> Received:
        received: Received = await self._bus.receive(*args)
        self._witness.received(received.messages)
        return received

    async def acknowledge(self, messages: Sequence[InboxMessage]) -> None:
        self._witness.acknowledged(messages)
        await self._bus.acknowledge(messages)

    async def reject(self, message: InboxMessage, reason: str, now_ms: int) -> None:
        self._witness.rejected(message, reason)
        await self._bus.reject(message, reason, now_ms)

    def subscribe(self, *args: Any) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        listening: AbstractAsyncContextManager[AsyncIterator[Message]] = self._bus.subscribe(*args)
        return listening
