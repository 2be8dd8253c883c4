"""Timers and leases that have fallen due, and how far each partition has come."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stagewright.adapters.redis.connection import Command
from stagewright.adapters.redis.functions import Functions
from stagewright.adapters.redis.keys import Keys, partition_count
from stagewright.adapters.redis.marks import Marks, Progress
from stagewright.adapters.redis.records import unpack_record
from stagewright.adapters.redis.shared import Shared
from stagewright.ports.message_bus import DueTimer, PartitionMark
from stagewright.ports.task import TaskRecord


@dataclass(slots=True)
class Due:
    """What has fallen due, oldest first."""

    timers: list[DueTimer] = field(default_factory=list)
    expired: list[TaskRecord] = field(default_factory=list)


class DueWatcher:
    """Looks at partitions when it is time to, not at every read."""

    def __init__(self, shared: Shared) -> None:
        self._functions, self._keys, self.watch = shared.functions, shared.keys, shared.watch
        self._marks = Marks()

    async def look(self, partitions: Sequence[int], now_ms: int, limit: int) -> Due:
        """Return what is due in some partitions, at most `limit` of each sort."""
        asked = self._marks.ask()
        parts = [self._keys.partitions[number] for number in partitions]
        commands = [
            self._functions.command(
                "due", [part.marks, part.tasks, part.timers, part.leases], (now_ms, limit)
            )
            for part in parts
        ]
        due = Due()
        replies = await self._functions.run(commands) if commands else []
        for number, reply in zip(partitions, replies, strict=True):
            await self._take(number, asked, now_ms, reply, due)
        due.timers = sorted(due.timers, key=lambda timer: timer.due_at_ms)[:limit]
        due.expired = sorted(due.expired, key=lambda task: task.expires_at_ms or 0)[:limit]
        return due

    async def _take(self, number: int, asked: int, now_ms: int, reply: Any, due: Due) -> None:
        incarnation, history, begun, commits, earliest, timers, expired = reply
        name = incarnation.decode() or (await first_seen(self._functions, self._keys))[number]
        now = Progress(PartitionMark(name, commits), history.decode(), begun)
        known = self._marks.lost_by(number, asked, now)
        if known is not None:
            name = await self._renewed(number, known)
            now = now._replace(mark=PartitionMark(name, commits))
        self._marks.answer(number, asked, now)
        self.watch.looked(number, now_ms, _instant(earliest) if earliest else None, commits)
        due.timers += _timers(timers)
        due.expired += _expired(expired)

    async def _renewed(self, number: int, known: Progress) -> str:
        """Begin another incarnation where the counter went back; return the one in force."""
        mark, marks = known.mark, self._keys.partitions[number].marks
        seen = (mark.incarnation, known.history, mark.commits, secrets.token_hex(8))
        name: bytes = await self._functions.call("renew", [marks], seen)
        return name.decode()

    def marks(self, partitions: Iterable[int]) -> dict[int, PartitionMark]:
        """Return the marks as of the last look at each partition."""
        return {number: self._marks.of(number) for number in partitions}


async def first_seen(functions: Functions, keys: Keys) -> list[str]:
    """Give every partition that has none its incarnation; return those in force.

    A server that lost everything forgot the number of partitions as well.
    """
    parts = keys.partitions
    commands: list[Command] = [
        functions.command("mark", [part.marks], [secrets.token_hex(8)]) for part in parts
    ]
    commands.append(("SET", partition_count(keys.namespace), len(parts), "NX"))
    *names, _ = await functions.run(commands)
    return [name.decode() for name in names]


def _timers(flat: Sequence[bytes]) -> Iterable[DueTimer]:
    for member, due in zip(flat[::2], flat[1::2], strict=True):
        workflow_id, _, timer_id = member.decode().partition("|")
        yield DueTimer(workflow_id, timer_id, _instant(due))


def _expired(flat: Sequence[bytes]) -> Iterable[TaskRecord]:
    for task, packed, expiry in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        yield unpack_record(task.decode(), packed, _instant(expiry))


def _instant(score: bytes) -> int:
    return int(float(score))
