"""Bulk jobs as they are stored: small values with a life time, in the backend's key-value store.

A job is a record and lists of workflows in chunks. The record is written by whoever holds the
job's lease. Two holders at once, which a pause of a process can bring about, do the same things
twice with the same command ids: nothing more happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter

from stagewright.domain.errors import NotFound
from stagewright.ports.bulk import BulkRefusal, BulkRequest, BulkView
from stagewright.ports.kv_store import IKVStore

KEPT_S = 86_400.0
CHUNK = 500
LEASE_S = 5.0
JOB, REQUEST, REFUSED = "bulk:job:", "bulk:request:", "bulk:refused:"
TARGETS, LEASE, KEYED = "bulk:targets:", "bulk:lease:", "bulk:key:"
_REFUSALS = TypeAdapter(list[BulkRefusal])


@dataclass(slots=True)
class Job:
    """One job: what was asked for, and how far it is."""

    job_id: str
    request: BulkRequest
    view: BulkView


class Jobs:
    """Reads and writes jobs."""

    def __init__(self, kv: IKVStore) -> None:
        self._kv = kv

    async def claim_key(
        self, key: str, job_id: str, body_hash: str, now_ms: int
    ) -> tuple[str, str]:
        """Bind a key to a job for as long as jobs are kept; return what it is bound to."""
        name = KEYED + hashlib.sha256(key.encode()).hexdigest()
        mine = orjson.dumps([job_id, body_hash])
        if await self._kv.compare_and_set(name, None, mine, KEPT_S, now_ms):
            return job_id, body_hash
        found = await self._kv.get(name, now_ms)
        bound: list[str] = orjson.loads(found if found is not None else mine)
        return bound[0], bound[1]

    async def read(self, job_id: str, now_ms: int) -> Job:
        """Return a job; NotFound, also a day after it began."""
        found = await self.find(job_id, now_ms)
        if found is None:
            raise NotFound("bulk job", job_id, remedy="Jobs are kept for a day.")
        return found

    async def find(self, job_id: str, now_ms: int) -> Job | None:
        """Return a job if there is one."""
        record = await self._kv.get(JOB + job_id, now_ms)
        request = await self._kv.get(REQUEST + job_id, now_ms)
        if record is None or request is None:
            return None
        refused = await self._kv.get(REFUSED + job_id, now_ms)
        view = BulkView.model_validate_json(record)
        view.refusals = [] if refused is None else _REFUSALS.validate_json(refused)
        return Job(job_id, BulkRequest.model_validate_json(request), view)

    async def add(self, job: Job, now_ms: int) -> None:
        """Store a new job: what is asked for stands there before anybody can find it."""
        request = job.request.model_dump_json(exclude_unset=True).encode()
        await self._kv.set(REQUEST + job.job_id, request, KEPT_S, now_ms)
        await self.write(job, now_ms)

    async def write(self, job: Job, now_ms: int) -> None:
        """Store how far a job is, its refusals first: they are counted when they stand there."""
        if job.view.refusals:
            body = _REFUSALS.dump_json(job.view.refusals)
            await self._kv.set(REFUSED + job.job_id, body, KEPT_S, now_ms)
        record = job.view.model_dump_json(exclude={"refusals"}).encode()
        await self._kv.set(JOB + job.job_id, record, KEPT_S, now_ms)

    async def every(self, now_ms: int) -> list[BulkView]:
        """Return how far all jobs are, newest first, without refusals."""
        found = await self._kv.scan(JOB, now_ms)
        return [BulkView.model_validate_json(found[key]) for key in sorted(found, reverse=True)]

    async def put_targets(self, job_id: str, ids: Sequence[str], now_ms: int) -> None:
        """Store which workflows a job changes; doing so again overwrites."""
        for start in range(0, len(ids), CHUNK):
            body = orjson.dumps(list(ids[start : start + CHUNK]))
            await self._kv.set(_chunk(job_id, start), body, KEPT_S, now_ms)

    async def targets(self, job_id: str, start: int, now_ms: int) -> list[str]:
        """Return the chunk of workflows that holds the one at `start`, from that one on."""
        body = await self._kv.get(_chunk(job_id, start), now_ms)
        if body is None:
            raise NotFound("bulk job", job_id, remedy="Jobs are kept for a day.")
        found: list[Any] = orjson.loads(body)
        return found[start % CHUNK :]

    async def lease(self, job_id: str, holder: str, now_ms: int) -> bool:
        """Take or renew the right to work on a job; False while another holds it."""
        key, mine = LEASE + job_id, holder.encode()
        for expected in (mine, None, b""):
            if await self._kv.compare_and_set(key, expected, mine, LEASE_S, now_ms):
                return True
        return False

    async def release(self, job_id: str, holder: str, now_ms: int) -> None:
        """Give the right back, if it is still held."""
        mine = holder.encode()
        await self._kv.compare_and_set(LEASE + job_id, mine, b"", 0.001, now_ms)


def _chunk(job_id: str, start: int) -> str:
    return f"{TARGETS}{job_id}:{start // CHUNK:06d}"


def command_id_of(job_id: str, workflow_id: str) -> str:
    """Return the command's id: the job's instant, which orders commands, and a hash of both."""
    digest = hashlib.sha256(f"{job_id} {workflow_id}".encode()).hexdigest()
    return f"{job_id[:12]}7{digest[:3]}8{digest[3:18]}"


def body_hash_of(request: BulkRequest) -> str:
    """Return a hash of all that a request says but its key."""
    body = request.model_dump_json(exclude={"key"}).encode()
    return hashlib.sha256(body).hexdigest()


def refusal_of(workflow_id: str, kind: str, detail: str) -> BulkRefusal:
    """Return a refusal, its text cut."""
    return BulkRefusal(workflow_id=workflow_id, kind=kind, detail=detail[:500])
