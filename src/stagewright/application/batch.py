"""One batch: group by workflow, decide, commit all in one call, and deal with each verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog

from stagewright.application.fold import Fold, fold
from stagewright.application.inbox import Refusal, Work
from stagewright.application.live import Live, LiveWorkflows
from stagewright.application.stepper import OutputTooBig, Stepper, supply
from stagewright.application.withdrawal import tell_agents
from stagewright.domain.errors import Conflict
from stagewright.domain.messages import HoldStage
from stagewright.domain.outputs import OutputMissing
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.workflow_store import Commit, Verdict

log = structlog.get_logger(__name__)

CONFLICT_ROUNDS = 8
"""So often a batch is decided again because another process was faster; then it is read anew."""


class BatchProcessor:
    """Applies work to workflows. Holds no promise of its own: the commit's checks do."""

    def __init__(
        self,
        backend: Backend,
        lives: LiveWorkflows,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
    ) -> None:
        self._backend = backend
        self._lives = lives
        self._clock = clock
        self._ids = ids
        self._random = randomness
        self.left = 0
        """Timers and leases, so far, that nothing could be done about: they stay due."""

    async def process(self, work: Iterable[Work]) -> None:
        """Apply everything; what loses a race is decided again on the newer state."""
        pending = list(work)
        for _ in range(CONFLICT_ROUNDS):
            if not pending:
                return
            pending = await self._round(pending)
        raise Conflict(
            f"{len({w.workflow_id for w in pending})} workflows kept moving under another process",
            remedy="They are read again.",
        )

    async def _round(self, work: list[Work]) -> list[Work]:
        """Decide and commit once; return the work that must be decided again."""
        groups: dict[str, list[Work]] = {}
        for item in work:
            groups.setdefault(item.workflow_id, []).append(item)
        lives = await self._lives.get(list(groups))
        unreadable = dict(self._lives.unreadable)
        steppers: list[Stepper] = []
        done: list[InboxMessage] = []
        for workflow_id, items in groups.items():
            live = lives.get(workflow_id)
            if live is None:
                reason = unreadable.get(workflow_id, f"workflow {workflow_id} does not exist")
                await self.drop(items, reason)
            elif (stepper := await self._decide(items, live, done)) is not None:
                steppers.append(stepper)
        if done:
            await self._backend.bus.acknowledge(done)
        return await self._commit(groups, steppers)

    async def _commit(self, groups: dict[str, list[Work]], steppers: list[Stepper]) -> list[Work]:
        if not steppers:
            return []
        commits = [stepper.commit() for stepper in steppers]
        verdicts = await self._backend.store.commit(commits, self._clock.now_ms())
        return await self._settle(groups, steppers, verdicts)

    async def _decide(
        self, items: list[Work], live: Live, done: list[InboxMessage]
    ) -> Stepper | None:
        """Fold the items into a stepper; None when nothing is to be committed."""
        while True:  # each round supplies another output, and there are only so many
            try:
                folded = fold(items, self._stepper(live), self._clock.now_ms(), self._ids)
            except OutputMissing as missing:
                try:
                    await supply(self._backend.blobs, items[0].workflow_id, live.outputs, missing)
                except OutputTooBig as error:
                    return await self._isolate(items, live, str(error))
            except Exception as error:  # one bad workflow must not stop the others
                reason = f"could not be decided: {type(error).__name__}: {error}"
                log.exception("undecidable", cause=items[0].cause)
                return await self._isolate(items, live, reason)
            else:
                return await self._folded(folded, done)

    def _stepper(self, live: Live) -> Stepper:
        return Stepper(live.state.workflow_id, live.compiled, live, self._ids, self._random)

    async def _folded(self, folded: Fold, done: list[InboxMessage]) -> Stepper | None:
        for item, reason in folded.refused:
            await self.drop([item], reason)
        if folded.stepper.changed:
            return folded.stepper
        done.extend(folded.ignored)
        return None

    async def _isolate(self, items: list[Work], live: Live, reason: str) -> Stepper | None:
        """Decide each on its own; one that cannot be decided takes its stage out of service."""
        if len(items) > 1:
            for item in items:
                await self.process([item])
            return None
        return await self._held(items[0], live, reason)

    async def quarantine(self, item: Work, reason: str) -> None:
        """Hold the stage that a message is about and keep the message, in one step."""
        live = (await self._lives.get([item.workflow_id])).get(item.workflow_id)
        stepper = None if live is None else await self._held(item, live, reason)
        if live is None:
            await self.drop([item], reason)
        if stepper is not None and await self._commit({item.workflow_id: [item]}, [stepper]):
            raise Conflict(f"{item.workflow_id} moved meanwhile", remedy="It is read again.")

    async def _held(self, item: Work, live: Live, reason: str) -> Stepper | None:
        stepper, stage = self._stepper(live), item.stage
        if stage is None or not item.awaited(live.state):
            await self.drop([item], reason)
            return None
        message: Any = HoldStage(self._ids.uuid7(), stage, reason)
        stepper.apply(message, f"quarantine {item.cause}", self._clock.now_ms())
        item.settle(stepper, reason, self._ids.uuid7(), self._clock.now_ms())
        return stepper

    async def _settle(
        self,
        groups: dict[str, list[Work]],
        steppers: list[Stepper],
        verdicts: Iterable[Verdict],
    ) -> list[Work]:
        again: list[Work] = []
        committed: list[Commit] = []
        for stepper, verdict in zip(steppers, verdicts, strict=True):
            items = groups[stepper.workflow_id]
            if verdict is Verdict.COMMITTED:
                self._lives.keep(stepper.live())
                committed.append(stepper.commit())
                continue
            self._lives.drop(stepper.workflow_id)
            if verdict is Verdict.CONFLICT:
                again.extend(items)
            elif len(items) == 1:
                await self.drop(items, "stale token: the task was claimed by another since")
            else:
                for item in items:  # one of them is fenced: each on its own tells which
                    await self.process([item])
        await tell_agents(self._backend.bus, committed, self._clock.now_ms())
        return again

    async def drop(self, items: list[Work], reason: str) -> None:
        """Give up on items: messages become dead letters, timers and leases stay due."""
        for item in items:
            if item.inbox is not None:
                await self.reject(Refusal(item.inbox, item.broken or reason))
            else:
                self.left += 1
                log.warning("left", workflow_id=item.workflow_id, cause=item.cause, why=reason)

    async def reject(self, refusal: Refusal) -> None:
        """Keep a message that cannot be applied as a dead letter."""
        log.warning("rejected", position=refusal.message.position, reason=refusal.reason)
        await self._backend.bus.reject(refusal.message, refusal.reason, self._clock.now_ms())
