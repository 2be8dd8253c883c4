"""One action on many workflows: selected once, then done a few at a time, by whoever is there.

The workflows are chosen and stored before the first one is changed, so that a filter means what
fitted when the job began, and a job that was cut off goes on where it stopped. What was done in
the moment of a crash is done again with the same command id, which changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from stagewright.application.bulk_jobs import (
    CHUNK,
    Job,
    Jobs,
    body_hash_of,
    command_id_of,
    refusal_of,
)
from stagewright.domain.errors import Conflict, StagewrightError, Unreachable, slug
from stagewright.ports.backend import Backend
from stagewright.ports.bulk import MOST, NAMED, BulkRequest, BulkView
from stagewright.ports.control import CommandRequest, ICommands
from stagewright.ports.system import IClock, IIdentifiers

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Commands under way for one job."""
BATCH = 50
"""So many are done between two notes of progress; a crash repeats at most these."""
PAUSE_S = 0.05
"""Between two batches, so that others have their turn: at most 1,000 commands a second."""
TURN_S = 1.0
"""So long whoever asks for a job goes on with it."""
SOON_S, IDLE_S = 2.0, 30.0
"""How often a server looks for jobs that others left: while some are unfinished, and else."""
SAMPLE = 20
PAGE = 1_000


class Bulk:
    """Implements `IBulk` over a backend."""

    def __init__(
        self, backend: Backend, commands: ICommands, clock: IClock, ids: IIdentifiers
    ) -> None:
        self._backend, self._commands, self._clock, self._ids = backend, commands, clock, ids
        self._jobs = Jobs(backend.kv)
        self._holder = ids.uuid7()
        self._wake = asyncio.Event()

    async def begin(self, request: BulkRequest) -> BulkView:
        """Note the job durably and return it, before anything is changed; Conflict."""
        if request.dry_run:
            return await self._rehearsed(request)
        now_ms = self._clock.now_ms()
        job_id = self._ids.uuid7()
        if request.key is not None:
            mine = body_hash_of(request)
            job_id, theirs = await self._jobs.claim_key(request.key, job_id, mine, now_ms)
            if theirs != mine:
                raise Conflict(
                    f"key {request.key!r} was used with another body",
                    remedy="Use another key, or send the body that was sent first.",
                )
        job = await self._jobs.find(job_id, now_ms)
        if job is None:
            job = Job(job_id, request, _begun(job_id, request, now_ms))
            await self._jobs.add(job, now_ms)
        self._wake.set()
        return job.view

    async def _rehearsed(self, request: BulkRequest) -> BulkView:
        ids, exact = await self._selected(request)
        return BulkView(
            job_id=None,
            action=request.action,
            status="dry-run",
            total=len(ids),
            exact=exact,
            sample=list(ids[:SAMPLE]),
            by=request.by,
            created_at_ms=self._clock.now_ms(),
        )

    async def job(self, job_id: str) -> BulkView:
        """Return how far a job is; goes on with it for a moment if nobody does. NotFound."""
        job = await self._jobs.read(job_id, self._clock.now_ms())
        if job.view.status != "done":
            await self.work(job_id, TURN_S)
            job = await self._jobs.read(job_id, self._clock.now_ms())
        return job.view

    async def jobs(self) -> Sequence[BulkView]:
        """Return the jobs of the last day, newest first, without refusals; at most 100."""
        return (await self._jobs.every(self._clock.now_ms()))[:100]

    # --- the work -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Work on jobs for ever: those that begin here at once, those that others left soon."""
        while True:
            self._wake.clear()
            try:
                left = await self._round()
            except StagewrightError as error:
                log.warning("duty_failed", duty="bulk", error=str(error))
                left = True
            await self._until_woken(SOON_S if left else IDLE_S)

    async def _round(self) -> bool:
        """Work on what is unfinished; whether something was, so that another look is due soon."""
        jobs = await self._jobs.every(self._clock.now_ms())
        unfinished = [job for job in jobs if job.status != "done"]
        for job in unfinished:
            await self.work(job.job_id or "")
        return bool(unfinished)

    async def _until_woken(self, most_s: float) -> None:
        slept = asyncio.ensure_future(self._clock.sleep(most_s))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((slept, woken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            slept.cancel()
            woken.cancel()

    async def work(self, job_id: str, for_s: float | None = None) -> None:
        """Work on a job until it is done or the time is over, unless another does."""
        end_s = None if for_s is None else self._clock.monotonic_s() + for_s
        if not await self._jobs.lease(job_id, self._holder, self._clock.now_ms()):
            return
        try:
            while await self._turn(job_id):
                if end_s is not None and self._clock.monotonic_s() >= end_s:
                    return
                await self._clock.sleep(PAUSE_S)
        finally:
            await self._jobs.release(job_id, self._holder, self._clock.now_ms())

    async def _turn(self, job_id: str) -> bool:
        """Do one batch and note it; whether more is to be done here."""
        now_ms = self._clock.now_ms()
        if not await self._jobs.lease(job_id, self._holder, now_ms):
            return False  # it was away for longer than its lease: another goes on
        job = await self._jobs.read(job_id, now_ms)
        if job.view.status == "selecting":
            await self._select(job)
        elif job.view.status == "running":
            await self._batch(job)
        await self._jobs.write(job, self._clock.now_ms())
        return job.view.status != "done"

    async def _select(self, job: Job) -> None:
        ids, exact = await self._selected(job.request)
        await self._jobs.put_targets(job.job_id, ids, self._clock.now_ms())
        job.view.total, job.view.exact = len(ids), exact
        job.view.sample = list(ids[:SAMPLE])
        job.view.status = "running"
        self._settle(job)

    async def _selected(self, request: BulkRequest) -> tuple[Sequence[str], bool]:
        """Return the workflows, each once, and whether these are all.

        The oldest change comes first: what changes while this looks moves ahead of it, and is met.
        """
        if request.filter is None:
            return list(dict.fromkeys(request.ids)), True
        found: dict[str, None] = {}
        query = replace(request.filter.query(), bare=True, limit=PAGE, oldest_first=True)
        while len(found) <= MOST:
            page = await self._backend.store.query(query)
            found.update(dict.fromkeys(row.workflow_id for row in page.rows))
            if page.cursor is None:
                return list(found), True
            query = replace(query, cursor=page.cursor)
        return list(found)[:MOST], False

    async def _batch(self, job: Job) -> None:
        targets = await self._jobs.targets(job.job_id, job.view.done, self._clock.now_ms())
        batch = targets[: min(BATCH, CHUNK)]
        for start in range(0, len(batch), AT_ONCE):
            group = batch[start : start + AT_ONCE]
            told = await asyncio.gather(*(self._tell(job, id_) for id_ in group))
            for error in told:
                if isinstance(error, Unreachable):
                    raise error  # the batch is done again, with the same ids
            for workflow_id, error in zip(group, told, strict=True):
                _count(job.view, workflow_id, error)
        self._settle(job)

    async def _tell(self, job: Job, workflow_id: str) -> StagewrightError | None:
        """Give the command; return why it was refused."""
        request = job.request
        command = CommandRequest(
            kind=request.action,
            command_id=command_id_of(job.job_id, workflow_id),
            by=request.by,
            groups=request.groups,
            reason=request.reason,
            stage=request.stage,
            name=request.name,
            data=request.data,
        )
        try:
            await self._commands.command(workflow_id, command)
        except StagewrightError as error:
            return error
        return None

    def _settle(self, job: Job) -> None:
        view = job.view
        view.progress = 100 if not view.total else 100 * view.done // view.total
        if view.done >= view.total:
            view.status, view.finished_at_ms = "done", self._clock.now_ms()


def _begun(job_id: str, request: BulkRequest, now_ms: int) -> BulkView:
    return BulkView(
        job_id=job_id,
        action=request.action,
        status="selecting",
        total=0,
        by=request.by,
        created_at_ms=now_ms,
    )


def _count(view: BulkView, workflow_id: str, error: StagewrightError | None) -> None:
    view.done += 1
    if error is None:
        view.changed += 1
        return
    view.refused += 1
    if len(view.refusals) < NAMED:
        kind = slug(type(error))
        view.refusals.append(refusal_of(workflow_id, kind, error.message))
