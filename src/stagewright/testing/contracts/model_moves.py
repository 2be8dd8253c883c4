"""What a random walk may do next: moves drawn once, done to both sides."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stagewright.domain.records import but
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task import NewTask, TaskLease
from stagewright.ports.task_queue import Claim, Want
from stagewright.ports.workflow_store import Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.model_side import Side
from stagewright.testing.contracts.samples import entry, start, step_id, then, workflow

WORKFLOWS = [workflow(number, number % 4) for number in range(12)]
KEYS = ("a", "b", "ab")

Deed = Callable[[Side], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Move:
    """Something to do to both sides, and how to tell what it was."""

    text: str
    deed: Deed


class Drawer:
    """Draws moves, and knows just enough of the past for most of them to make sense."""

    def __init__(self, seed: int, clock: VirtualClock) -> None:
        self._random = random.Random(seed)  # noqa: S311  # repeatable by intent
        self._clock = clock
        self._last: dict[str, Commit] = {}
        self._tasks: dict[str, list[NewTask]] = {id_: [] for id_ in WORKFLOWS}
        self._leases: list[TaskLease] = []
        self._bodies: list[bytes] = []
        self._letters: list[bytes] = []
        self._count = 0
        self._draws: Sequence[tuple[int, Callable[[], Move]]] = (
            (10, self._commits),
            (6, self._claim),
            (4, self._complete),
            (2, self._extend),
            (2, self._release),
            (3, self._publish),
            (1, self._notes),
            (1, self._acknowledge),
            (2, self._reject),
            (1, self._redrive),
            (1, self._discard),
            (3, self._value),
            (1, self._forget),
            (1, self._blob),
        )

    def draw(self) -> Move:
        """Draw the next move; some time passes before it."""
        self._clock.set_ms(self._clock.now_ms() + self._random.choice((1, 1, 10, 1_000, 4_000)))
        weights, draws = zip(*self._draws, strict=True)
        move: Move = self._random.choices(draws, weights)[0]()
        return move

    # --- commits --------------------------------------------------------------------------------

    def _commits(self) -> Move:
        ids = self._random.sample(WORKFLOWS, self._random.randint(1, 3))
        commits = [self._spoiled(self._commit(id_)) for id_ in ids]

        claim = self._random.choice((None, None, self._wish()))

        async def deed(side: Side) -> Any:
            verdicts, claimed = await side.commit(commits, claim)
            for commit, verdict in zip(commits, verdicts, strict=True):
                if verdict is Verdict.COMMITTED:
                    self._remember(commit)
            self._keep(TaskLease(each.task_id, each.token) for each in claimed)
            return verdicts, claimed

        return Move(f"commit {commits}, then {claim}", deed)

    def _commit(self, workflow_id: str) -> Commit:
        last = self._last.get(workflow_id)
        commit = start(workflow_id) if last is None else then(last)
        self._count += 1
        tasks = self._tasks[workflow_id]
        closed = self._some([task.task_id for task in tasks])
        kept = [task for task in tasks if task.task_id not in closed]
        now_ms, status = self._clock.now_ms(), self._random.choice(("running", "waiting"))
        return but(
            commit,
            step_id=step_id(workflow_id, 1_000 + self._count),
            new_tasks=(*self._new_tasks(workflow_id), *self._some(kept)[:1]),
            closed_tasks=tuple(closed),
            timers={name: now_ms + self._random.randint(-9, 9_999) for name in self._some("xyz")},
            index=self._random.choice((None, entry(status=status, updated_at_ms=now_ms))),
            suspended=self._random.choice((None, None, None, True, False)),
            outputs=dict.fromkeys(self._some(("o1", "o2")), b"%d" % self._count),
            consumed=tuple(body.decode() for body in self._some(self._bodies[-8:])),
            dead_letters=self._new_letters(workflow_id),
        )

    def _new_tasks(self, workflow_id: str) -> list[NewTask]:
        found = []
        for minor in self._some((0, 1)):
            self._count += 1
            lane = f"agent{workflow_id[1:3]}@1.{minor}"  # a lane lies in one partition: its order
            task_id = f"{workflow_id}/stage/1/{self._count}"  # leaves nothing to choose
            priority, timeout_s = self._random.randint(0, 3), self._random.choice((3.0, 60.0))
            found.append(NewTask(task_id, lane, priority, timeout_s, b"%d" % self._count))
        return found

    def _new_letters(self, workflow_id: str) -> tuple[DeadLetter, ...]:
        if self._random.random() > 0.1:
            return ()
        body = self._body()
        self._letters.append(body)
        letter_id = f"{workflow_id[:3]}-{body.decode()}"
        return (DeadLetter(letter_id, workflow_id, "reason", body, self._clock.now_ms()),)

    def _spoiled(self, commit: Commit) -> Commit:
        """Return a commit as it is, or with something that may stop it."""
        kind = self._random.randint(0, 9)
        if kind == 0:
            return but(commit, expected_step_id="stale")
        if kind == 1:
            return self._last.get(commit.workflow_id, commit)
        if kind in {2, 3} and commit.expected_step_id is not None:
            mine = [each for each in self._leases if each.task_id.startswith(commit.workflow_id)]
            return but(commit, fences=tuple(self._some(mine[-4:])[:1]))
        return commit

    def _remember(self, commit: Commit) -> None:
        self._last[commit.workflow_id] = commit
        tasks = self._tasks[commit.workflow_id]
        known = {task.task_id for task in tasks}
        tasks += [task for task in commit.new_tasks if task.task_id not in known]
        closed = set(commit.closed_tasks)
        self._tasks[commit.workflow_id] = [task for task in tasks if task.task_id not in closed]

    # --- tasks ----------------------------------------------------------------------------------

    def _wish(self) -> Claim:
        lanes = [f"agent{partition:02d}@1.{minor}" for partition in range(4) for minor in (0, 1)]
        wants = [
            Want(tuple(lanes[2 * partition : 2 * partition + 2]), self._random.randint(0, 3))
            for partition in self._some(range(4))
        ]
        lease_s = self._random.choice((2.0, 30.0))
        return Claim("worker", tuple(wants), lease_s, self._random.random() < 0.2)

    def _claim(self) -> Move:
        claim = self._wish()

        async def deed(side: Side) -> Any:
            claimed = await side.claim(claim)
            self._keep(TaskLease(each.task_id, each.token) for each in claimed)
            return claimed

        return Move(f"claim {claim}", deed)

    def _complete(self) -> Move:
        leases = self._some(self._leases[-10:])
        results = [self._message() for _ in leases]
        claim = self._random.choice((None, self._wish()))

        async def deed(side: Side) -> Any:
            accepted, claimed = await side.complete(leases, results, claim)
            self._keep(TaskLease(each.task_id, each.token) for each in claimed)
            return accepted, claimed

        return Move(f"complete {leases} {results}, then {claim}", deed)

    def _extend(self) -> Move:
        leases, lease_s = self._some(self._leases[-10:]), self._random.choice((1.0, 40.0))
        return Move(f"extend {leases} by {lease_s}", lambda side: side.extend(leases, lease_s))

    def _release(self) -> Move:
        leases, lost = self._some(self._leases[-10:]), self._random.random() < 0.5
        return Move(f"release {leases} {lost=}", lambda side: side.release(leases, lost=lost))

    def _keep(self, leases: Any) -> None:
        self._leases += [lease for lease in leases if lease not in self._leases]

    # --- messages -------------------------------------------------------------------------------

    def _publish(self) -> Move:
        ids = self._some(WORKFLOWS)
        messages = [Message(id_, self._message()) for id_ in ids]
        return self._publication(Topic.INBOX, messages)

    def _notes(self) -> Move:
        return self._publication(Topic.NOTES, [Message(id_, self._body()) for id_ in WORKFLOWS])

    def _publication(self, topic: Topic, messages: list[Message]) -> Move:
        return Move(
            f"publish {topic} {messages}",
            lambda side: side.backend.bus.publish(topic, messages, self._clock.now_ms()),
        )

    def _acknowledge(self) -> Move:
        bodies = self._some(self._bodies[-8:])
        return Move(f"acknowledge {bodies}", lambda side: side.acknowledge(bodies))

    def _reject(self) -> Move:
        body = self._random.choice(self._bodies[-8:] or [b"none"])
        self._letters.append(body)
        return Move(f"reject {body!r}", lambda side: side.reject(body, "unfit"))

    def _redrive(self) -> Move:
        body, new_body = self._random.choice(self._letters or [b"none"]), self._message()
        return Move(f"redrive {body!r}", lambda side: side.redrive(body, new_body))

    def _discard(self) -> Move:
        body = self._random.choice(self._letters or [b"none"])
        return Move(f"discard {body!r}", lambda side: side.discard(body))

    # --- the smaller stores ---------------------------------------------------------------------

    def _value(self) -> Move:
        now_ms, key, count = self._clock.now_ms(), self._random.choice(KEYS), "a count"
        ttl_s = self._random.choice((None, 2.0, 60.0))
        seen = self._random.choice((None, b"1", b"2"))

        async def deed(side: Side) -> Any:
            kv = side.backend.kv
            answers: list[Any] = [await kv.get(key, now_ms)]
            answers.append(await kv.compare_and_set(key, seen, b"1", ttl_s, now_ms))
            answers.append(await kv.increment(count, 1, ttl_s, now_ms))
            answers.append(dict(await kv.scan("a", now_ms)))
            return answers

        return Move(f"value {key} {seen!r} {ttl_s}", deed)

    def _blob(self) -> Move:
        id_, body = self._random.choice(WORKFLOWS), self._random.choice((b"x", b"y"))

        async def deed(side: Side) -> Any:
            hash_ = await side.backend.blobs.put(id_, body)
            return [await side.backend.blobs.get(each, hash_) for each in WORKFLOWS]

        return Move(f"blob {id_} {body!r}", deed)

    def _forget(self) -> Move:
        id_ = self._random.choice(WORKFLOWS)
        last = self._last.get(id_)
        step = last.step_id if last and self._random.random() < 0.8 else "stale"
        tombstone = Tombstone(id_, "completed", "00", self._clock.now_ms() + 20_000)

        async def deed(side: Side) -> bool:
            gone = await side.backend.store.forget(id_, step, tombstone)
            if gone:
                self._last.pop(id_, None)
                self._tasks[id_] = []
            return gone

        return Move(f"forget {id_} {step}", deed)

    # --- chance ---------------------------------------------------------------------------------

    def _some(self, choices: Sequence[Any]) -> list[Any]:
        """Return none, some or all of the choices, in a random order."""
        count = self._random.randint(0, min(len(choices), 3))
        return self._random.sample(list(choices), count)

    def _body(self) -> bytes:
        self._count += 1
        return b"body-%d" % self._count

    def _message(self) -> bytes:
        body = self._body()
        self._bodies.append(body)
        return body
