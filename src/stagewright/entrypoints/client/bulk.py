"""One action on many workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stagewright.domain.errors import TimedOut
from stagewright.entrypoints.client.patience import Patience
from stagewright.entrypoints.client.session import Session, request_of
from stagewright.ports.bulk import BulkRequest, BulkView


class BulkActions(Session):
    """Change many workflows at once."""

    async def bulk(
        self,
        action: str,
        *,
        ids: Sequence[str] = (),
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the word of the request
        dry_run: bool = False,
        key: str | None = None,
        by: str = "anonymous",
        **said: Any,
    ) -> BulkView:
        """Begin a job over `ids`, or over all that fit `filter`; `said` as in `BulkRequest`.

        The job is durable when this returns. It goes on by itself beside a server, else while
        `bulk_job` is asked for it. The same key gives the same job.
        """
        given = {"action": action, "dry_run": dry_run, "key": key, "by": by, **said}
        if ids:
            given["ids"] = tuple(ids)
        if filter is not None:
            given["filter"] = dict(filter)
        request = request_of(BulkRequest, given)
        return await self._call(lambda to: to.bulk.begin(request))

    async def bulk_job(self, job_id: str) -> BulkView:
        """Return how far a job is, with its refusals."""
        return await self._call(lambda to: to.bulk.job(job_id))

    async def bulk_jobs(self) -> Sequence[BulkView]:
        """Return the jobs of the last day, newest first."""
        return await self._call(lambda to: to.bulk.jobs())

    async def bulk_done(self, job_id: str, *, timeout_s: float | None = None) -> BulkView:
        """Return a job once it is done; TimedOut after `timeout_s`."""
        patience = Patience(timeout_s)
        while True:
            view = await self.bulk_job(job_id)
            if view.status == "done":
                return view
            if patience.over:
                raise TimedOut(
                    f"Waiting for bulk job {job_id}",
                    after_s=timeout_s,
                    remedy="It goes on; ask for it again.",
                )
            await patience.pause()
