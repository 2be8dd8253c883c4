"""The queue of tasks on Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from stagewright.adapters.redis.claiming import Claiming
from stagewright.adapters.redis.connection import Argument, Command
from stagewright.adapters.redis.keys import PartitionKeys
from stagewright.adapters.redis.lanes import Offer, Quota
from stagewright.adapters.redis.leads import Lead, Results, Steps, by_partition, claim_keys, send
from stagewright.adapters.redis.records import unpack_record
from stagewright.adapters.redis.shared import Shared
from stagewright.domain import ids
from stagewright.ports.commit import Commit
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord
from stagewright.ports.task_queue import Advanced, Claim, Completed, Completion, LaneDepth

ROUNDS = 8
"""Round trips of one claim: others may take what was offered to it."""


class RedisTaskQueue:
    """ITaskQueue: one Function call per partition, those of one call in one round trip.

    A claim asks at once where this process saw tasks last (its own commits, hints it heard, claims
    that came back full), and in the same round trip asks every other partition what it offers,
    unless that was empty a moment ago and its hints are heard; so nothing that waits is overlooked,
    and usually one round trip is enough.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared, self._functions, self._keys = shared, shared.functions, shared.keys
        self._lanes, self._watch = shared.lanes, shared.watch
        self._turns = count()

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        """Lease up to the wanted number of tasks."""
        return (await self.complete((), claim, now_ms)).claimed

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        """Prove the tokens, publish the results, end the leases; then claim."""
        results = Results(self._shared, completions)
        claimed = await self._lead(results, claim, now_ms)
        return Completed(results.accepted, claimed)

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        """Commit steps, then claim."""
        steps = Steps(self._shared, commits, now_ms)
        steps.note_tasks()  # the claim comes after the commits
        claimed = await self._lead(steps, claim, now_ms)
        await steps.tell_timers()
        return Advanced(steps.verdicts, claimed)

    async def _lead(self, lead: Lead, claim: Claim | None, now_ms: int) -> Sequence[ClaimedTask]:
        """Make the calls of a lead, and claim."""
        wants = claim is not None and any(want.slots > 0 for want in claim.wants)
        if claim is None or not wants:
            await send(lead, self._functions)
            return []
        claiming = Claiming(claim, self._lanes, next(self._turns), now_ms)
        offers = await self._first_round(lead, claiming)
        for _ in range(ROUNDS):
            if claiming.satisfied or not (quotas := claiming.choose(offers)):
                break
            offers = await self._next_round(claiming, quotas)
        for task in claiming.tasks:
            self._watch.falls_due(ids.partition_of(task.task_id), task.expires_at_ms)
        return claiming.tasks

    async def _first_round(self, lead: Lead, claiming: Claiming) -> dict[int, Offer]:
        """Make the calls, claim where tasks are likely, and ask everyone else what is there."""
        quotas = claiming.guess()
        leading = {
            number: lead.commands(
                number, claiming.arguments(number, quotas[number]) if number in quotas else ()
            )
            for number in lead.partitions
        }
        guessed = [number for number in quotas if number not in leading]
        asked = [
            part.number
            for part in self._keys.partitions
            if part.number not in quotas and claiming.unknown(part.number)
        ]
        commands = [one for made in leading.values() for one in made]
        commands += [self._claim_command(claiming, number, quotas[number]) for number in guessed]
        commands += [self._offer_command(claiming, number) for number in asked]
        replies = iter(await self._run(commands))
        claims = {
            number: lead.heard(number, [next(replies) for _ in made])
            for number, made in leading.items()
        }
        claims |= {number: next(replies) for number in guessed}
        offers = {number: claiming.offered(next(replies)) for number in asked}
        hiding = [
            number
            for number, quota in quotas.items()
            if claiming.took(number, quota, *claims[number])
        ]
        return offers | await self._offers(claiming, hiding)

    async def _next_round(
        self, claiming: Claiming, quotas: Mapping[int, Quota]
    ) -> dict[int, Offer]:
        """Claim what was offered; ask again only if others were faster."""
        commands = [self._claim_command(claiming, n, quota) for n, quota in quotas.items()]
        before = sum(claiming.left)
        for number, reply in zip(quotas, await self._run(commands), strict=True):
            claiming.took(number, quotas[number], *reply)
        wanted = sum(sum(quota) for quota in quotas.values())
        if before - sum(claiming.left) == wanted:
            return {}
        return await self._offers(claiming, [part.number for part in self._keys.partitions])

    async def _offers(self, claiming: Claiming, numbers: Sequence[int]) -> dict[int, Offer]:
        replies = await self._run([self._offer_command(claiming, number) for number in numbers])
        return {
            number: claiming.offered(reply) for number, reply in zip(numbers, replies, strict=True)
        }

    def _claim_command(self, claiming: Claiming, number: int, quota: Quota) -> Command:
        keys = claim_keys(self._keys.partitions[number])
        return self._functions.command("claim", keys, claiming.arguments(number, quota))

    def _offer_command(self, claiming: Claiming, number: int) -> Command:
        return self._functions.command(
            "offer", [self._keys.partitions[number].queue], claiming.lanes
        )

    async def extend(
        self, leases: Sequence[TaskLease], lease_s: float, now_ms: int
    ) -> Sequence[int | None]:
        """Renew leases, never beyond the task's deadline."""
        groups = by_partition(self._shared, leases)
        commands = [
            self._functions.command(
                "extend",
                [part.tasks, part.leases],
                [now_ms, round(lease_s * 1000), *_proofs(leases, places)],
            )
            for part, places in self._parts(groups)
        ]
        expiries: list[int | None] = [None] * len(leases)
        for (number, places), reply in zip(groups.items(), await self._run(commands), strict=True):
            for place, expires_at_ms in zip(places, reply, strict=True):
                if expires_at_ms:
                    expiries[place] = expires_at_ms
                    self._watch.falls_due(number, expires_at_ms)
        return expiries

    async def release(self, leases: Sequence[TaskLease], lost: bool, now_ms: int) -> Sequence[bool]:  # noqa: ARG002, FBT001  # the port's shape
        """Put leased tasks back to the front of their lanes."""
        groups = by_partition(self._shared, leases)
        commands = [
            self._functions.command(
                "release", claim_keys(part), [int(lost), *_proofs(leases, places)]
            )
            for part, places in self._parts(groups)
        ]
        released = [False] * len(leases)
        for places, reply in zip(groups.values(), await self._run(commands), strict=True):
            _spread(released, places, reply)
        return released

    async def inspect(self, workflow_ids: Sequence[str]) -> Sequence[Sequence[TaskRecord]]:
        """Return the task records of each workflow."""
        groups: dict[int, list[int]] = {}
        for place, workflow_id in enumerate(workflow_ids):
            if self._keys.knows(workflow_id):
                groups.setdefault(ids.partition_of(workflow_id), []).append(place)
        commands = [
            self._functions.command(
                "inspect",
                [part.tasks, part.queue, part.leases]
                + [part.workflow(workflow_ids[place]) for place in places],
            )
            for part, places in self._parts(groups)
        ]
        found: list[Sequence[TaskRecord]] = [[] for _ in workflow_ids]
        for places, reply in zip(groups.values(), await self._run(commands), strict=True):
            for place, rows in zip(places, reply, strict=True):
                found[place] = _records(rows)
        return found

    async def depths(self) -> Sequence[LaneDepth]:
        """Return every lane with queued tasks."""
        parts = self._keys.partitions
        commands = [self._functions.command("depths", [part.tasks, part.queue]) for part in parts]
        totals: dict[tuple[str, int], tuple[int, int]] = {}
        for reply in await self._run(commands):
            for at in range(0, len(reply), 4):
                lane, priority, queued, oldest = reply[at : at + 4]
                held, since = totals.get((lane.decode(), priority), (0, oldest))
                totals[lane.decode(), priority] = (held + queued, min(since, oldest))
        return [LaneDepth(*lane, *depth) for lane, depth in sorted(totals.items())]

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        return await self._functions.run(commands) if commands else []

    def _parts(self, groups: Mapping[int, list[int]]) -> list[tuple[PartitionKeys, list[int]]]:
        return [(self._keys.partitions[number], places) for number, places in groups.items()]


def _proofs(leases: Sequence[TaskLease], places: Sequence[int]) -> list[Argument]:
    proofs: list[Argument] = []
    for place in places:
        proofs += (leases[place].task_id, leases[place].token)
    return proofs


def _spread(answers: list[bool], places: Sequence[int], reply: Sequence[int]) -> None:
    for place, answer in zip(places, reply, strict=True):
        answers[place] = answer == 1


def _records(rows: Sequence[Any]) -> list[TaskRecord]:
    found = []
    for at in range(0, len(rows), 4):
        task, packed, expiry, position = rows[at : at + 4]
        expires_at_ms = int(float(expiry)) if expiry else None
        place = position if position >= 0 else None
        found.append(unpack_record(task.decode(), packed, expires_at_ms, place))
    return found
