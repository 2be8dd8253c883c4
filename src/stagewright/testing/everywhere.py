"""Crashes a workflow's processes everywhere, and asserts that nothing comes of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from stagewright.domain.builder import Workflow
from stagewright.domain.errors import StagewrightError
from stagewright.domain.ids import workflow_of
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task_queue import Claim, Completed, Completion
from stagewright.ports.views import WorkflowView
from stagewright.testing.clock import VirtualClock
from stagewright.testing.faults import UNHARMED, Fate, Faults, Moment, Process
from stagewright.testing.loop import run_virtually
from stagewright.testing.people import Decided, People
from stagewright.testing.quiet import quiet
from stagewright.testing.running import prepared
from stagewright.testing.trial import WATCHFUL, During, Play, Trial

WRITES = frozenset(
    {
        "blobs.put", "bus.acknowledge", "bus.publish", "bus.reject", "kv.compare_and_set",
        "kv.delete", "kv.increment", "kv.set", "registry.put_if_absent", "store.commit",
        "store.forget", "tasks.advance", "tasks.claim", "tasks.complete", "tasks.extend",
        "tasks.release",
    }
)  # fmt: skip
SHUFFLES = 10
MOST_TOLD = 5
MOST_COPIES = 5


@dataclass(frozen=True, slots=True)
class Survived:
    """What a workflow has been through."""

    status: str
    output: Any
    writes: int
    """Port writes of the two undisturbed runs: through the inbox, and decided by the runner."""
    runs: int


def crash_everywhere(
    workflow: Workflow,
    input: Any = None,  # noqa: A002 - its name in the definition
    *,
    agents: Mapping[str, Any] | None = None,
    approvals: Mapping[str, Decided | list[Decided]] | None = None,
    signals: Mapping[str, Any] | None = None,
    during: During | None = None,
    same: Callable[[Any], Any] | None = None,
) -> Survived:
    """Run a workflow again and again, with a crash before and after each write it makes.

    First undisturbed, which says how it ends and which writes its processes make: the
    orchestrator's, the agents' and those of whoever started it. Then once for each write and
    moment, with whoever makes it killed and started again; then with calls that come late and
    results that come up to five times. All in virtual time. AssertionError names what ended
    differently. Arguments as for `run`; agents are called more than once, and must give the same
    for the same task. `same` takes from an output what must not differ; without it that is all but
    the instants of approvals.
    """
    people = People(approvals or {}, signals or {})
    play = prepared(workflow, input, agents, people, during)
    with quiet():
        return _Everywhere(play, same or timeless).go()


def timeless(output: Any) -> Any:
    """Return an output without the instants at which people decided."""
    if isinstance(output, list):
        return [timeless(item) for item in output]
    if not isinstance(output, dict):
        return output
    decision = output.keys() >= {"at", "decided_by", "decision"}
    return {k: timeless(v) for k, v in output.items() if not (decision and k == "at")}


class _Everywhere:
    def __init__(self, play: Play, same: Callable[[Any], Any]) -> None:
        self._play, self._same = play, same
        self._first: WorkflowView | None = None
        self._expected: bytes | None = None
        self._wrong: list[str] = []
        self._runs = self._writes = 0

    def go(self) -> Survived:
        self._try("undisturbed", Faults(), deciding=True)
        assert self._first is not None  # else it was raised
        view = self._first
        for trouble in (self._kills(deciding=True), self._kills(deciding=False), self._shuffles()):
            for _ in trouble:
                if len(self._wrong) >= MOST_TOLD:
                    break
        if self._wrong:
            raise AssertionError(self._told(view))
        return Survived(view.status, view.output, self._writes, self._runs)

    def _kills(self, *, deciding: bool) -> Iterator[None]:
        for number, moment, label in self._moments(deciding=deciding):
            what = f"killed {moment} call {number} ({label})"
            self._try(what, Faults([number], moment), deciding=deciding)
            yield

    def _shuffles(self) -> Iterator[None]:
        for seed in range(SHUFFLES):
            shuffled = _Shuffled(seed)
            what = f"with late and repeated messages ({seed})"
            self._try(what, shuffled, deciding=seed % 2 == 0, wrap=shuffled.repeated)
            yield

    def _moments(self, *, deciding: bool) -> Iterator[tuple[int, Moment, str]]:
        """Every write of an undisturbed run, before and after it."""
        faults = Faults()
        self._try("undisturbed", faults, deciding=deciding)
        moments: tuple[Moment, ...] = ("before", "after")
        for number, call in enumerate(faults.calls, 1):
            if call.partition(" ")[2] in WRITES:
                self._writes += 1
                yield from ((number, moment, call) for moment in moments)

    def _try(
        self,
        what: str,
        faults: Faults,
        *,
        deciding: bool,
        wrap: Callable[[Backend], Backend] | None = None,
    ) -> None:
        clock = VirtualClock()
        faults.clock = clock
        trial = Trial(self._play, clock, faults, WATCHFUL, deciding=deciding)
        trial.wrapped = wrap or trial.wrapped
        self._runs += 1
        try:
            view = run_virtually(clock, trial.run)
        except StagewrightError as error:
            if self._expected is None:
                raise
            self._wrong.append(f"{what}: {error}")
        else:
            self._first = self._first or view
            self._compare(what, view, [*trial.broken, *trial.witness.violations])

    def _compare(self, what: str, view: WorkflowView, broken: Sequence[str]) -> None:
        ending = [view.status, self._same(view.output)]
        found = orjson.dumps(ending, option=orjson.OPT_SORT_KEYS, default=repr)
        if self._expected is None:
            self._expected = found
        if found != self._expected:
            self._wrong.append(f"{what}: it {view.status} with {view.output!r}")
        self._wrong += [f"{what}: {sentence}" for sentence in broken]

    def _told(self, view: WorkflowView) -> str:
        first = f"Undisturbed, {self._play.workflow.name} {view.status} with {view.output!r}."
        return "\n  ".join([first, *self._wrong[:MOST_TOLD]])


class _Shuffled(Faults):
    """Calls come late, and so in another order; results come up to five times."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)  # noqa: S311  # repeatable by intent

    def fate(self, process: Process, label: str) -> Fate:  # noqa: ARG002 - all come late
        """Let some calls, or their answers, take up to a second."""
        if self._chance.random() < 0.5:
            return UNHARMED
        late_s = round(self._chance.random(), 3)
        return Fate(late_s=late_s) if self._chance.random() < 0.5 else Fate(answer_late_s=late_s)

    def repeated(self, backend: Backend) -> Backend:
        """Return the backend with results that come again."""
        tasks: Any = _Repeated(backend, self._chance)
        return replace(backend, tasks=tasks)


class _Repeated:
    def __init__(self, backend: Backend, chance: random.Random) -> None:
        self._backend, self._chance = backend, chance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend.tasks, name)

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        done = await self._backend.tasks.complete(completions, claim, now_ms)
        copies = [
            Message(workflow_of(one.task_id), one.result)
            for one in completions
            for _ in range(self._chance.randrange(MOST_COPIES))
        ]
        self._chance.shuffle(copies)
        await self._backend.bus.publish(Topic.INBOX, copies, now_ms)
        return done
