"""What goes before a claim in the same round trip: results, or steps.

A lead has one or more Functions to call in some partitions. The last of a partition's calls takes
the claim along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from stagewright.adapters.redis import commits as encoding
from stagewright.adapters.redis.alarms import tell
from stagewright.adapters.redis.connection import Argument, Command
from stagewright.adapters.redis.functions import Functions
from stagewright.adapters.redis.keys import PartitionKeys
from stagewright.adapters.redis.shared import Shared
from stagewright.domain import ids
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.task import TaskLease
from stagewright.ports.task_queue import Completion

COMMITS_PER_CALL = 64
"""A server does nothing else during a call: so many take it one to two milliseconds."""

_VERDICTS = (Verdict.COMMITTED, Verdict.CONFLICT, Verdict.FENCED)
_REST_KEYS = ("timers", "index", "feed", "inbox", "letters", "letter_order")

T = TypeVar("T", TaskLease, Completion)


class Lead(Protocol):
    """Calls of one round trip, by partition."""

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions that are called."""
        ...

    def commands(self, partition: int, claim: Sequence[Argument]) -> Sequence[Command]:
        """Return the calls in one partition; the last claims."""
        ...

    def heard(self, partition: int, replies: Sequence[Any]) -> tuple[Any, Any]:
        """Take in the replies; return what was claimed as `claim` does."""
        ...


class Results:
    """Results that are published to the inboxes."""

    def __init__(self, shared: Shared, completions: Sequence[Completion]) -> None:
        self._functions, self._keys = shared.functions, shared.keys
        self._completions = completions
        self._groups = by_partition(shared, completions)
        self.accepted = [False] * len(completions)

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions that are called."""
        return list(self._groups)

    def commands(self, partition: int, claim: Sequence[Argument]) -> Sequence[Command]:
        """Return the call in one partition."""
        part, places = self._keys.partitions[partition], self._groups[partition]
        arguments: list[Argument] = [len(places)]
        for place in places:
            completion = self._completions[place]
            arguments += (completion.task_id, completion.token, completion.result)
        keys = (*claim_keys(part), part.inbox)
        return [self._functions.command("complete", keys, (*arguments, *claim))]

    def heard(self, partition: int, replies: Sequence[Any]) -> tuple[Any, Any]:
        """Note which results were accepted."""
        ((accepted, claimed, counts),) = replies
        for place, answer in zip(self._groups[partition], accepted, strict=True):
            self.accepted[place] = answer == 1
        return claimed, counts


class Steps:
    """Commits, so many a call."""

    def __init__(self, shared: Shared, commits: Sequence[Commit], now_ms: int) -> None:
        self._shared, self._commits, self._now_ms = shared, commits, now_ms
        self._groups: dict[int, list[int]] = {}
        for place, commit in enumerate(commits):
            number = shared.keys.of(commit.workflow_id).number
            self._groups.setdefault(number, []).append(place)
        self.verdicts = [Verdict.CONFLICT] * len(commits)

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions that are called."""
        return list(self._groups)

    def commands(self, partition: int, claim: Sequence[Argument] = ()) -> Sequence[Command]:
        """Return the calls in one partition."""
        calls = self._calls(partition)
        return [
            self._command(partition, places, claim if places is calls[-1] else ())
            for places in calls
        ]

    def heard(self, partition: int, replies: Sequence[Any]) -> tuple[Any, Any]:
        """Note the verdicts."""
        for places, (verdicts, _, _) in zip(self._calls(partition), replies, strict=True):
            for place, verdict in zip(places, verdicts, strict=True):
                self.verdicts[place] = _VERDICTS[verdict]
        _, claimed, counts = replies[-1]
        return claimed, counts

    def note_tasks(self) -> None:
        """Note where tasks are queued, or will be when the call takes effect."""
        lanes = self._shared.lanes
        for commit in self._commits:
            for task in commit.new_tasks:
                lanes.note(task.lane, ids.partition_of(commit.workflow_id), task.priority)

    async def tell_timers(self) -> None:
        """Note what falls due, here and wherever the partition is owned."""
        instants: dict[int, int] = {}
        for commit in self._commits:
            if commit.timers:
                partition, at_ms = ids.partition_of(commit.workflow_id), min(commit.timers.values())
                instants[partition] = min(at_ms, instants.get(partition, at_ms))
        for partition, at_ms in instants.items():
            self._shared.watch.falls_due(partition, at_ms)
        await tell(self._shared, instants)

    def _calls(self, partition: int) -> list[list[int]]:
        places = self._groups[partition]
        return [
            places[first : first + COMMITS_PER_CALL]
            for first in range(0, len(places), COMMITS_PER_CALL)
        ]

    def _command(self, partition: int, places: list[int], claim: Sequence[Argument]) -> Command:
        part = self._shared.keys.partitions[partition]
        keys = [*claim_keys(part), *(getattr(part, name) for name in _REST_KEYS)]
        arguments: list[Argument] = [
            self._now_ms,
            self._shared.feed_retention_ms,
            len(claim),
        ]
        for place in places:
            commit = self._commits[place]
            keys += (part.workflow(commit.workflow_id), part.log(commit.workflow_id))
            arguments += encoding.encode(commit)
        return self._shared.functions.command("commit", keys, (*arguments, *claim))


async def send(lead: Lead, functions: Functions) -> None:
    """Make the calls of a lead, without a claim."""
    commands = {number: lead.commands(number, ()) for number in lead.partitions}
    if commands:
        replies = iter(await functions.run([one for made in commands.values() for one in made]))
        for number, made in commands.items():
            lead.heard(number, [next(replies) for _ in made])


def by_partition(shared: Shared, items: Sequence[T]) -> Mapping[int, list[int]]:
    """Return the places of items by partition; those of no partition have none."""
    groups: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        if shared.keys.knows(item.task_id):
            groups.setdefault(ids.partition_of(item.task_id), []).append(place)
    return groups


def claim_keys(part: PartitionKeys) -> Sequence[str]:
    """Return the keys that a claim needs; they lead the keys of what goes before it."""
    return part.marks, part.tasks, part.queue, part.leases
