"""One side of a random walk: a backend that is spoken to in neutral names.

What a backend chooses freely is translated: a lease is known by its task and how many-th claim of
the task it is (`TaskLease(task_id, n)`), a message and a dead letter by their unique bodies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stagewright.domain import ids
from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord
from stagewright.ports.task_queue import Claim, Completion
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import inbox, observed

UNKNOWN = -1


@dataclass
class Side:
    """One backend, with its own tokens for the leases that both sides know."""

    backend: Backend
    clock: VirtualClock
    tokens: dict[str, list[int]] = field(default_factory=dict)
    """By task id: the token of each claim, in order."""

    async def commit(
        self, commits: Sequence[Commit], claim: Claim | None = None
    ) -> tuple[Sequence[Verdict], list[ClaimedTask]]:
        """Commit, then claim; `consumed` names messages by body, `fences` leases by number."""
        waiting = {(found.partition, found.body): found.position for found in await self._inbox()}
        translated = [
            but(
                commit,
                consumed=_positions(commit, waiting),
                fences=tuple(map(self.lease, commit.fences)),
            )
            for commit in commits
        ]
        now_ms = self.clock.now_ms()
        if claim is None:
            return list(await self.backend.store.commit(translated, now_ms)), []
        answer = await self.backend.tasks.advance(translated, claim, now_ms)
        return list(answer.verdicts), self._claimed(answer.claimed)

    async def claim(self, claim: Claim) -> list[ClaimedTask]:
        """Claim; the token in the answer is the number of the task's claim."""
        return self._claimed(await self.backend.tasks.claim(claim, self.clock.now_ms()))

    async def complete(
        self, leases: Sequence[TaskLease], results: Sequence[bytes], claim: Claim | None
    ) -> tuple[list[bool], list[ClaimedTask]]:
        """Complete with one result for each lease, then claim."""
        real = map(self.lease, leases)
        completions = [
            Completion(lease.task_id, lease.token, result)
            for lease, result in zip(real, results, strict=True)
        ]
        answer = await self.backend.tasks.complete(completions, claim, self.clock.now_ms())
        return list(answer.accepted), self._claimed(answer.claimed)

    async def extend(self, leases: Sequence[TaskLease], lease_s: float) -> list[int | None]:
        """Extend leases."""
        real = [self.lease(lease) for lease in leases]
        return list(await self.backend.tasks.extend(real, lease_s, self.clock.now_ms()))

    async def release(self, leases: Sequence[TaskLease], *, lost: bool) -> list[bool]:
        """Release leases."""
        real = [self.lease(lease) for lease in leases]
        return list(await self.backend.tasks.release(real, lost, self.clock.now_ms()))

    async def acknowledge(self, bodies: Sequence[bytes]) -> None:
        """Acknowledge messages by body."""
        found = [message for message in await self._inbox() if message.body in bodies]
        await self.backend.bus.acknowledge(found)

    async def reject(self, body: bytes, reason: str) -> None:
        """Reject a message twice."""
        for message in [message for message in await self._inbox() if message.body == body] * 2:
            await self.backend.bus.reject(message, reason, self.clock.now_ms())

    async def redrive(self, body: bytes, new_body: bytes) -> list[bool]:
        """Redrive the letter with a body, twice."""
        letters = self.backend.dead_letters
        return [
            await letters.redrive(letter_id, new_body, self.clock.now_ms())
            for letter_id in await self._letters(body) * 2
        ]

    async def discard(self, body: bytes) -> list[bool]:
        """Discard the letter with a body, twice."""
        letters = self.backend.dead_letters
        return [await letters.discard(letter_id) for letter_id in await self._letters(body) * 2]

    async def look(self, workflow_ids: Sequence[str]) -> dict[str, Any]:
        """Return all that can be seen, in neutral names."""
        seen = await observed(self.backend, self.clock, *workflow_ids)
        feed = [(entry.workflow_id, entry.kind, entry.body) for entry in seen.pop("feed")]
        messages = [(message.partition, message.body) for message in seen.pop("messages")]
        return seen | {
            "tasks": [[self._record(each) for each in records] for records in seen["tasks"]],
            "expired": [self._record(each) for each in seen["expired"]],
            "marks": {number: mark.commits for number, mark in seen["marks"].items()},
            "feed": {id_: [each for each in feed if each[0] == id_] for id_ in workflow_ids},
            "messages": {number: [m for m in messages if m[0] == number] for number in range(4)},
            "letters": sorted(
                (letter.body, letter.workflow_id, letter.reason, letter.at_ms)
                for letter in seen["letters"]
            ),
        }

    def lease(self, lease: TaskLease) -> TaskLease:
        """Return a lease with this side's token for the n-th claim of its task."""
        tokens = self.tokens.get(lease.task_id, [])
        known = 0 < lease.token <= len(tokens)
        return TaskLease(lease.task_id, tokens[lease.token - 1] if known else UNKNOWN)

    def _claimed(self, claimed: Sequence[ClaimedTask]) -> list[ClaimedTask]:
        for each in claimed:
            self.tokens.setdefault(each.task_id, []).append(each.token)
        by_want = sorted(claimed, key=lambda each: each.lane.partition("@")[0])  # in either order
        return [but(each, token=len(self.tokens[each.task_id])) for each in by_want]

    def _record(self, record: TaskRecord) -> TaskRecord:
        known = self.tokens.get(record.task_id, [])
        return replace(record, token=known.index(record.token) + 1 if record.token else 0)

    async def _inbox(self) -> Sequence[InboxMessage]:
        return await inbox(self.backend, self.clock)

    async def _letters(self, body: bytes) -> list[str]:
        letters = await self.backend.dead_letters.list(limit=1_000)
        return [letter.letter_id for letter in letters if letter.body == body]


def _positions(commit: Commit, waiting: Mapping[tuple[int, bytes], str]) -> tuple[str, ...]:
    """Return where the messages lie that a commit consumes, as far as they wait in its inbox."""
    partition = ids.partition_of(commit.workflow_id)
    names = ((partition, body.encode()) for body in commit.consumed)
    return tuple(waiting[name] for name in names if name in waiting)
