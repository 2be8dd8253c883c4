"""How a runner hands in what its agents did: through the inbox, or by deciding it itself.

Both ways end in the same decision and the same commit. A runner that decides saves the way through
the inbox, which is most of the way: orchestrators are interchangeable, and safety rests on what the
commit checks. The inbox stays for runners that cannot or must not decide, and for results that keep
losing races: there one process decides for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from stagewright.application.batch import BatchProcessor, Wish
from stagewright.application.inbox import work_of
from stagewright.application.live import LiveWorkflows
from stagewright.domain.envelope import StageResult, encode_result
from stagewright.domain.errors import StagewrightError
from stagewright.ports.system import IClock
from stagewright.ports.task_queue import Claim, Completion, ITaskQueue

log = structlog.get_logger(__name__)

ROUNDS = 2
"""So often a runner decides again what lost a race, before it leaves it to the orchestrator."""


class Handover(Protocol):
    """Takes results."""

    queues: bool
    """Whether handing in queues the next tasks at once, so that a claim should go along."""

    async def hand_in(self, results: Sequence[StageResult], wish: Wish | None) -> None:
        """Hand in results, and claim if wished; on an error all may be handed in again.

        What was claimed stands in the wish also when something else failed afterwards.
        """
        ...


class ThroughInbox:
    """Publishes results as envelopes for the orchestrator of their partition."""

    queues = False

    def __init__(self, tasks: ITaskQueue, clock: IClock) -> None:
        self._tasks, self._clock = tasks, clock

    async def hand_in(self, results: Sequence[StageResult], wish: Wish | None) -> None:
        """Publish results and end their leases."""
        completions = [
            Completion(str(result.task), result.token, encode_result(result)) for result in results
        ]
        claim = _open_claim(wish)
        answer = await self._tasks.complete(completions, claim, self._clock.now_ms())
        if wish is not None and claim is not None:
            wish.granted = answer.claimed
        for result, accepted in zip(results, answer.accepted, strict=True):
            if not accepted:
                log.info("result_not_wanted", task=str(result.task), token=result.token)


class BySteps:
    """Decides results and commits their steps, and falls back on the inbox."""

    queues = True

    def __init__(
        self, lives: LiveWorkflows, processor: BatchProcessor, inbox: ThroughInbox
    ) -> None:
        self._lives, self._processor, self._inbox = lives, processor, inbox

    async def hand_in(self, results: Sequence[StageResult], wish: Wish | None) -> None:
        """Commit the steps that the results call for."""
        try:
            lost = await self._processor.attempt(map(work_of, results), ROUNDS, wish)
        except StagewrightError:
            self._lives.clear()  # nobody knows what took effect
            raise
        if lost:
            await self._inbox.hand_in([item.result for item in lost if item.result], wish)


def _open_claim(wish: Wish | None) -> Claim | None:
    return wish.claim if wish is not None and wish.granted is None else None
