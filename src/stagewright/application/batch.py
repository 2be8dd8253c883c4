"""One batch: group by workflow, decide, commit all in one call, and deal with each verdict."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from stagewright.application.inbox import Refusal, Work, to_result
from stagewright.application.live import Live, LiveWorkflows
from stagewright.application.stepper import OutputTooBig, Stepper, supply
from stagewright.domain.errors import Conflict
from stagewright.domain.ids import partition_of
from stagewright.domain.messages import TaskExpired, TimerFired
from stagewright.domain.outputs import OutputMissing
from stagewright.ports.backend import Backend
from stagewright.ports.dead_letters import DeadLetter
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
        commits: list[Commit] = []
        steppers: list[Stepper] = []
        done: list[InboxMessage] = []
        for workflow_id, items in groups.items():
            stepper = await self._decide(workflow_id, items, lives.get(workflow_id), done)
            if stepper is not None:
                commits.append(stepper.commit())
                steppers.append(stepper)
        if done:
            await self._backend.bus.acknowledge(done)
        if not commits:
            return []
        verdicts = await self._backend.store.commit(commits, self._clock.now_ms())
        return await self._settle(groups, steppers, verdicts)

    async def _decide(
        self, workflow_id: str, items: list[Work], live: Live | None, done: list[InboxMessage]
    ) -> Stepper | None:
        """Fold the items into a stepper; None when nothing is to be committed."""
        if live is None:
            reason = self._lives.unreadable.get(workflow_id)
            await self._reject(items, reason or f"workflow {workflow_id} does not exist")
            return None
        for _ in range(len(live.compiled.plan.stages) + 2):
            try:
                return await self._fold(workflow_id, items, live, done)
            except OutputMissing as missing:
                try:
                    await supply(self._backend.blobs, workflow_id, live.outputs, missing)
                except OutputTooBig as error:
                    await self._reject(items, str(error))
                    return None
            except Exception as error:  # noqa: BLE001 - one bad workflow must not stop the others
                return await self._isolate(workflow_id, items, live, done, error)
        return None

    async def _fold(
        self, workflow_id: str, items: list[Work], live: Live, done: list[InboxMessage]
    ) -> Stepper | None:
        stepper = Stepper(workflow_id, live.compiled, live, self._ids, self._random)
        ignored: list[InboxMessage] = []
        for item in items:
            reason = self._apply(stepper, item)
            if reason is not None:
                await self._reject([item], reason)
            elif item.inbox is not None and item.inbox.position not in stepper.consumed:
                ignored.append(item.inbox)
        if not stepper.changed:
            done.extend(ignored)
            return None
        stepper.consumed.extend(message.position for message in ignored)
        stepper.commit()  # raises OutputMissing before anything is sent
        return stepper

    def _apply(self, stepper: Stepper, item: Work) -> str | None:
        """Apply one item; return why it must become a dead letter, None when it need not."""
        message = item.message
        if item.result is not None:
            message = to_result(item.result, stepper.compiled)
            if isinstance(message, str):
                return message
        decision = stepper.apply(message, item.cause, self._clock.now_ms())
        if not decision.events:
            log.info("ignored", workflow_id=item.workflow_id, cause=item.cause, why=decision.remark)
            if isinstance(message, TimerFired):
                stepper.stale_timers.append(message.timer_id)
            elif isinstance(message, TaskExpired):
                stepper.stale_tasks.append(str(message.task))
            return None
        if item.fence is not None:
            stepper.fences.append(item.fence)
        if item.inbox is not None:
            stepper.consumed.append(item.inbox.position)
            violations = getattr(message, "violations", ())
            if violations:
                first = violations[0]
                reason = f"contract violated at {first.get('path') or 'output'}: {first['message']}"
                stepper.dead_letters.append(self.letter(item, reason))
        return None

    def letter(self, item: Work, reason: str) -> DeadLetter:
        """Return the dead letter that keeps an item."""
        partition = partition_of(item.workflow_id)
        return DeadLetter(
            letter_id=f"p{partition:02d}-{self._ids.uuid7()}",
            workflow_id=item.workflow_id,
            reason=reason,
            body=item.inbox.body if item.inbox is not None else b"",
            at_ms=self._clock.now_ms(),
        )

    async def _isolate(
        self,
        workflow_id: str,
        items: list[Work],
        live: Live,
        done: list[InboxMessage],
        error: Exception,
    ) -> Stepper | None:
        """Find which of several items cannot be decided, and keep that one as a dead letter."""
        if len(items) == 1:
            log.error("undecidable", workflow_id=workflow_id, cause=items[0].cause, exc_info=error)
            await self._reject(items, f"could not be decided: {type(error).__name__}: {error}")
            return None
        for item in items[:-1]:
            stepper = await self._decide(workflow_id, [item], live, done)
            if stepper is not None:
                await self._settle(
                    {workflow_id: [item]},
                    [stepper],
                    await self._backend.store.commit([stepper.commit()], self._clock.now_ms()),
                )
                fresh = await self._lives.get([workflow_id])
                live = fresh.get(workflow_id, live)
        return await self._decide(workflow_id, items[-1:], live, done)

    async def _settle(
        self,
        groups: dict[str, list[Work]],
        steppers: list[Stepper],
        verdicts: Iterable[Verdict],
    ) -> list[Work]:
        again: list[Work] = []
        for stepper, verdict in zip(steppers, verdicts, strict=True):
            items = groups[stepper.workflow_id]
            if verdict is Verdict.COMMITTED:
                self._lives.keep(stepper.live())
                continue
            self._lives.drop(stepper.workflow_id)
            if verdict is Verdict.CONFLICT:
                again.extend(items)
            elif len(items) == 1:
                await self._reject(items, "stale token: the task was claimed by another since")
            else:
                for item in items:  # one of them is fenced: each on its own tells which
                    await self.process([item])
        return again

    async def _reject(self, items: list[Work], reason: str) -> None:
        for item in items:
            if item.inbox is not None:
                await self.reject(Refusal(item.inbox, reason))
            else:
                log.warning("dropped", workflow_id=item.workflow_id, cause=item.cause, why=reason)

    async def reject(self, refusal: Refusal) -> None:
        """Keep a message that cannot be applied as a dead letter."""
        log.warning("rejected", position=refusal.message.position, reason=refusal.reason)
        await self._backend.bus.reject(refusal.message, refusal.reason, self._clock.now_ms())
