"""The store of workflows on Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stagewright.adapters.redis.connection import Command
from stagewright.adapters.redis.indexes import ROWS_LOOKED_AT, Found, Search, merge, searches
from stagewright.adapters.redis.keys import PartitionKeys
from stagewright.adapters.redis.leads import Steps, send
from stagewright.adapters.redis.shared import Shared
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.health import PortHealth
from stagewright.ports.workflow_store import FEW_OUTPUTS, Page, Query, Referred, Stored, Tombstone

_OTHER_FIELDS = 2
"""Of a workflow, beside its outputs."""


class RedisWorkflowStore:
    """IWorkflowStore: one Function call per partition and batch."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._health = shared, shared.health
        self._functions, self._keys, self._clock = shared.functions, shared.keys, shared.clock

    async def load(
        self, workflow_ids: Sequence[str], referred: Referred | None = None
    ) -> Sequence[Stored | Tombstone | None]:
        """Return workflows, tombstones or None."""
        known = [id_ for id_ in workflow_ids if self._keys.knows(id_)]
        replies = await self._run([self._reading(id_, whole=referred is None) for id_ in known])
        fields = {
            id_: dict(zip(flat[::2], flat[1::2], strict=True))
            for id_, flat in zip(known, replies, strict=True)
        }
        if referred is not None:
            await self._add_outputs(fields, referred)
        found = {id_: self._read(id_, its) for id_, its in fields.items()}
        return [found.get(id_) for id_ in workflow_ids]

    def _reading(self, workflow_id: str, *, whole: bool) -> Command:
        key = self._keys.of(workflow_id).workflow(workflow_id)
        if whole:
            return ("HGETALL", key)
        return self._functions.command("load", [key], (FEW_OUTPUTS + _OTHER_FIELDS,))

    async def _add_outputs(
        self, fields: Mapping[str, dict[bytes, bytes]], referred: Referred
    ) -> None:
        """Read what those refer to that have too many outputs to be read as a whole."""
        many = {
            id_: [f"o:{key}".encode() for key in sorted(referred(its[b"d"]))]
            for id_, its in fields.items()
            if b"many" in its
        }
        replies = await self._run(
            [("HMGET", self._keys.of(id_).workflow(id_), *names) for id_, names in many.items()]
        )
        for (id_, names), bodies in zip(many.items(), replies, strict=True):
            pairs = zip(names, bodies, strict=True)
            fields[id_].update((name, body) for name, body in pairs if body is not None)

    def _read(self, workflow_id: str, fields: Mapping[bytes, bytes]) -> Stored | Tombstone | None:
        if b"s" in fields:
            outputs = {
                name[2:].decode(): body for name, body in fields.items() if name[:2] == b"o:"
            }
            return Stored(workflow_id, fields[b"s"].decode(), fields[b"d"], outputs)
        if b"x" not in fields:
            return None
        expires_at_ms, status, body_hash = fields[b"x"].decode().split("\n")
        if int(expires_at_ms) <= self._clock.now_ms():
            return None
        return Tombstone(workflow_id, status, body_hash, int(expires_at_ms))

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        """Apply each commit atomically and on its own."""
        steps = Steps(self._shared, commits, now_ms)
        await send(steps, self._functions)
        steps.note_tasks()
        await steps.tell_timers()
        return steps.verdicts

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        return await self._functions.run(commands) if commands else []

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> Sequence[bytes]:
        """Return step records, or the notes that are kept."""
        if limit <= 0 or not self._keys.knows(workflow_id):
            return []
        part = self._keys.of(workflow_id)
        key = part.log(workflow_id) if which == "steps" else part.notes(workflow_id)
        (records,) = await self._functions.run([("LRANGE", key, after, after + limit - 1)])
        return list(records)

    async def query(self, query: Query) -> Page:
        """Return workflows by index."""
        wanted = searches(query)
        parts = self._keys.partitions
        if query.partition is not None:
            parts = parts[query.partition : query.partition + 1]
        found = await self._search(parts, wanted, query.limit)
        places, cursor = merge(found, query.limit, backwards=not query.oldest_first)
        ids = list(dict.fromkeys(workflow_id for _, workflow_id in places))
        return Page(_bare(ids) if query.bare else await self._rows(ids), cursor)

    async def _search(
        self, parts: Sequence[PartitionKeys], wanted: Sequence[Search], limit: int
    ) -> list[Found]:
        budget = max(1, ROWS_LOOKED_AT // max(1, len(parts) * len(wanted)))
        commands = [
            self._functions.command("query", [part.index], _arguments(each, limit, budget))
            for part in parts
            for each in wanted
        ]
        return [_found(reply) for reply in await self._run(commands)]

    async def _rows(self, workflow_ids: Sequence[str]) -> list[Stored]:
        commands = [("HMGET", self._keys.of(id_).workflow(id_), "s", "d") for id_ in workflow_ids]
        replies = await self._run(commands)
        return [
            Stored(workflow_id, step.decode(), snapshot, {})
            for workflow_id, (step, snapshot) in zip(workflow_ids, replies, strict=True)
            if step is not None  # forgotten in this moment
        ]

    async def counts(self) -> Mapping[str, int]:
        """Return the number of workflows by status."""
        parts = self._keys.partitions
        commands = [self._functions.command("counts", [part.index]) for part in parts]
        counts: dict[str, int] = {}
        for reply in await self._functions.run(commands):
            for status, number in zip(reply[::2], reply[1::2], strict=True):
                counts[status.decode()] = counts.get(status.decode(), 0) + number
        return counts

    async def forget(self, workflow_id: str, step_id: str, tombstone: Tombstone) -> bool:
        """Replace a workflow by its tombstone."""
        if not self._keys.knows(workflow_id):
            return False
        part = self._keys.of(workflow_id)
        stone = f"{tombstone.expires_at_ms}\n{tombstone.status}\n{tombstone.body_hash}"
        ttl_ms = tombstone.expires_at_ms - self._clock.now_ms()
        keys = _forget_keys(part, workflow_id)
        return bool(await self._functions.call("forget", keys, (step_id, stone, ttl_ms)))

    async def health(self) -> PortHealth:
        """Return whether Redis answers, how durable it is, and what people should mend."""
        return await self._health.examine()


def _forget_keys(part: PartitionKeys, workflow_id: str) -> Sequence[str]:
    return (
        part.workflow(workflow_id),
        part.log(workflow_id),
        part.notes(workflow_id),
        part.blobs(workflow_id),
        part.tasks,
        part.queue,
        part.leases,
        part.timers,
        part.index,
    )


def _arguments(wanted: Search, limit: int, budget: int) -> Sequence[str | int]:
    bounds = (wanted.first, wanted.last, int(wanted.backwards), limit, budget, wanted.text)
    return (*bounds, *wanted.others)


def _bare(workflow_ids: Sequence[str]) -> list[Stored]:
    return [Stored(workflow_id, "", b"", {}) for workflow_id in workflow_ids]


def _found(reply: Any) -> Found:
    rows, more, at_ms, workflow_id = reply
    places = [
        (int(time), found.decode()) for time, found in zip(rows[::2], rows[1::2], strict=True)
    ]
    return Found(places, (int(at_ms), workflow_id.decode()) if more and at_ms else None)
