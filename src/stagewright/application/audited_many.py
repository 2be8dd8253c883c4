"""Changes to many things at once, in somebody's name and written down as one."""

from __future__ import annotations

from stagewright.application.actor import Actor
from stagewright.application.audit_trail import AuditTrail
from stagewright.application.audited import letter_facts, speaker, spoken
from stagewright.ports.backend import Backend
from stagewright.ports.bulk import BulkRequest, BulkView, IBulk
from stagewright.ports.letter_desk import ILetterDesk, LetterAction, LetterReport


class AuditedBulk:
    """`IBulk` of one actor. Each workflow's log names them too: its command is theirs."""

    def __init__(self, bulk: IBulk, trail: AuditTrail, actor: Actor) -> None:
        self._bulk, self._trail, self._actor = bulk, trail, actor
        self.job, self.jobs = bulk.job, bulk.jobs

    async def begin(self, request: BulkRequest) -> BulkView:
        """Note a job; a dry run changes nothing, and so is not written down."""
        by, groups = spoken(self._actor, request.by, request.groups)
        request = request.model_copy(update={"by": by, "groups": groups})
        if request.dry_run:
            return await self._bulk.begin(request)
        target = f"{len(request.ids)} workflows" if request.ids else "a filter"
        async with self._trail.change(self._actor, f"bulk.{request.action}", target) as note:
            job = await self._bulk.begin(request)
            note.target = job.job_id or target
            note.after = {"named": len(request.ids)}
            if request.filter is not None:
                note.after = {"filter": request.filter.model_dump_json(exclude_defaults=True)[:500]}
        return job


class AuditedDesk:
    """`ILetterDesk` of one actor."""

    def __init__(
        self, desk: ILetterDesk, backend: Backend, trail: AuditTrail, actor: Actor
    ) -> None:
        self._desk, self._trail, self._actor = desk, trail, actor
        self._letters = backend.dead_letters
        self.groups = desk.groups

    async def act(self, action: LetterAction) -> LetterReport:
        """Redrive or discard many letters."""
        action = action.model_copy(update={"by": speaker(self._actor, action.by)})
        target = f"{len(action.letters)} letters" if action.letters else (action.cause or "")[:200]
        name = f"dead-letters.{action.action}"
        async with self._trail.change(self._actor, name, target) as note:
            report = await self._desk.act(action)
            note.after = {"done": report.done, "refused": report.refused}
        return report

    async def discard(self, letter_id: str, by: str, reason: str) -> None:
        """Delete a letter."""
        before = await letter_facts(self._letters, letter_id)
        change = self._trail.change(self._actor, "dead-letter.discard", letter_id, before)
        async with change as note:
            await self._desk.discard(letter_id, speaker(self._actor, by), reason)
            note.after = {"reason": reason[:200]}
