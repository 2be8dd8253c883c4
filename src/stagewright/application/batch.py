"""One batch: group by workflow, decide, commit all in one call, and deal with each verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Claim

log = structlog.get_logger(__name__)

CONFLICT_ROUNDS = 8
"""So often a batch is decided again because another process was faster; then it is read anew."""


@dataclass(slots=True)
class Wish:
    """Tasks that whoever commits would like to claim in the same call."""

    claim: Claim
    granted: Sequence[ClaimedTask] | None = None
    """What was claimed; None until it was asked for."""


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
        if pending := await self.attempt(work, CONFLICT_ROUNDS):
            ids = {item.workflow_id for item in pending}
            raise Conflict(
                f"{len(ids)} workflows kept moving under another process",
                remedy="They are read again.",
            )

    async def attempt(
        self, work: Iterable[Work], rounds: int, wish: Wish | None = None
    ) -> Sequence[Work]:
        """Like `process`, but return what lost every race; `wish` is granted with a commit."""
        pending = list(work)
        for _ in range(rounds):
            if pending:
                pending = await self._round(pending, wish)
        return pending

    async def _round(self, work: list[Work], wish: Wish | None) -> list[Work]:
        """Decide and commit once; return the work that must be decided again."""
        groups: dict[str, list[Work]] = {}
        for item in work:
            groups.setdefault(item.workflow_id, []).append(item)
        lives = await self._lives.get(list(groups))
        fresh, unreadable = set(self._lives.fresh), dict(self._lives.unreadable)
        folds: list[Fold] = []
        again: list[Work] = []
        for workflow_id, items in groups.items():
            live = lives.get(workflow_id)
            if live is None:
                reason = unreadable.get(workflow_id, f"workflow {workflow_id} does not exist")
                await self.drop(items, reason)
            elif (folded := await self._decide(items, live)) is None:
                continue
            elif folded.stepper.changed or workflow_id in fresh:
                folds.append(folded)
            else:  # what looks unwanted may be wanted by what another process committed
                self._lives.drop(workflow_id)
                again.extend(items)
        return again + await self._commit(groups, folds, wish)

    async def _commit(
        self, groups: dict[str, list[Work]], folds: list[Fold], wish: Wish | None = None
    ) -> list[Work]:
        """Commit what changed; what changed nothing is done with."""
        changed = [folded for folded in folds if folded.stepper.changed]
        idle = [folded for folded in folds if not folded.stepper.changed]
        done = [message for folded in idle for message in folded.messages]
        if done:
            await self._backend.bus.acknowledge(done)
        for folded in idle:
            _tell_ignored(folded)
            await self._refuse(folded)
        if not changed:
            return []
        commits = [folded.stepper.commit() for folded in changed]
        verdicts = await self._store(commits, wish)
        return await self._settle(groups, changed, verdicts)

    async def _store(self, commits: Sequence[Commit], wish: Wish | None) -> Sequence[Verdict]:
        now_ms = self._clock.now_ms()
        if wish is None or wish.granted is not None:
            return await self._backend.store.commit(commits, now_ms)
        advanced = await self._backend.tasks.advance(commits, wish.claim, now_ms)
        wish.granted = advanced.claimed
        return advanced.verdicts

    async def _refuse(self, folded: Fold) -> None:
        for item, reason in folded.refused:
            await self.drop([item], reason)

    async def _decide(self, items: list[Work], live: Live) -> Fold | None:
        """Fold the items into one step; None when they were dealt with otherwise."""
        while True:  # each round supplies another output, and there are only so many
            try:
                return fold(items, self._stepper(live), self._clock.now_ms(), self._ids)
            except OutputMissing as missing:
                try:
                    await supply(self._backend.blobs, items[0].workflow_id, live.outputs, missing)
                except OutputTooBig as error:
                    await self._isolate(items, str(error))
                    return None
            except Exception as error:  # one bad workflow must not stop the others
                log.exception("undecidable", cause=items[0].cause)
                reason = f"could not be decided: {type(error).__name__}: {error}"
                await self._isolate(items, reason)
                return None

    def _stepper(self, live: Live) -> Stepper:
        return Stepper(live.state.workflow_id, live.compiled, live, self._ids, self._random)

    async def _isolate(self, items: list[Work], reason: str) -> None:
        """Decide each on its own; one that cannot be decided takes its stage out of service."""
        if len(items) == 1:
            await self.quarantine(items[0], reason)
            return
        for item in items:
            await self.process([item])

    async def quarantine(self, item: Work, reason: str) -> None:
        """Hold the stage that a message is about and keep the message, in one step."""
        self._lives.drop(item.workflow_id)
        live = (await self._lives.get([item.workflow_id])).get(item.workflow_id)
        if live is None or item.stage is None or not item.awaited(live.state):
            await self.drop([item], reason)
            return
        stepper = self._stepper(live)
        message: Any = HoldStage(self._ids.uuid7(), item.stage, reason)
        stepper.apply(message, f"quarantine {item.cause}", self._clock.now_ms())
        item.settle(stepper, reason, self._ids.uuid7(), self._clock.now_ms())
        refused = [(item, reason)] if item.unread else []
        if await self._commit({item.workflow_id: [item]}, [Fold(stepper, refused=refused)]):
            raise Conflict(f"{item.workflow_id} moved meanwhile", remedy="It is read again.")

    async def _settle(
        self,
        groups: dict[str, list[Work]],
        folds: list[Fold],
        verdicts: Iterable[Verdict],
    ) -> list[Work]:
        again: list[Work] = []
        committed: list[Commit] = []
        for folded, verdict in zip(folds, verdicts, strict=True):
            workflow_id = folded.stepper.workflow_id
            items = groups[workflow_id]
            if verdict is Verdict.COMMITTED:
                self._lives.keep(folded.stepper.live())
                committed.append(folded.stepper.commit())
                _tell_ignored(folded)
                await self._refuse(folded)
                continue
            self._lives.drop(workflow_id)
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
            elif item.result is not None:  # its task stays leased until that ends
                log.warning("result_not_wanted", task=str(item.result.task), why=reason)
            else:
                self.left += 1
                log.warning("left", workflow_id=item.workflow_id, cause=item.cause, why=reason)

    async def reject(self, refusal: Refusal) -> None:
        """Keep a message that cannot be applied as a dead letter."""
        log.warning("rejected", position=refusal.message.position, reason=refusal.reason)
        await self._backend.bus.reject(refusal.message, refusal.reason, self._clock.now_ms())


def _tell_ignored(folded: Fold) -> None:
    for item, why in folded.ignored:
        log.info("ignored", workflow_id=item.workflow_id, cause=item.cause, why=why)
