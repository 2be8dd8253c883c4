"""Sees every claim, result and step on its way to the store, and knows which results are stale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from stagewright.domain.envelope import parse_envelope
from stagewright.domain.events import decode_step
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Advanced, Claim, Completed, Completion


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
        return replace(backend, tasks=tasks, store=store)

    def claims(self, claimed: Iterable[ClaimedTask]) -> None:
        """Note who holds which task now."""
        for task in claimed:
            self._newest[task.task_id] = task.token

    def results(self, completions: Iterable[Completion]) -> None:
        """Note under which token a result is handed in."""
        for completion in completions:
            cause = f"result {parse_envelope(completion.result).envelope_id}"
            self._results[cause] = (completion.task_id, completion.token)

    def verdicts(self, commits: Sequence[Commit], verdicts: Sequence[Verdict]) -> None:
        """Note what was committed, and what was not."""
        for commit, verdict in zip(commits, verdicts, strict=True):
            if verdict is Verdict.COMMITTED:
                self.steps(commit)
            else:
                self.refused += bool(commit.fences)

    def steps(self, commit: Commit) -> None:
        """Hold each result that was applied against the newest claim of its task."""
        for fence in commit.fences:
            newest = self._newest.get(fence.task_id, fence.token)
            if newest != fence.token:
                stale = f"{fence.task_id}: token {fence.token} was proved after {newest}"
                self.violations.append(stale)
        causes = [decode_step(body).cause for body in commit.log]
        if sum(cause.startswith("result ") for cause in causes) > len(commit.fences):
            self.violations.append(f"{commit.workflow_id}: a result was applied without proof")
        for body in commit.log:
            task_id, token = self._results.get(decode_step(body).cause, ("", 0))
            newest = self._newest.get(task_id, token)
            if newest != token:
                self.violations.append(f"{task_id}: token {token} was applied after {newest}")


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
        self._witness.verdicts(commits, advanced.verdicts)
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
        self._witness.verdicts(commits, verdicts)
        return verdicts
