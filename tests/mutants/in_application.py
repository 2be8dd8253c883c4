"""Bugs in those who consume inboxes, own partitions, take commands and repair."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_APPLICATION = (
    Planted(
        "acknowledges before the commit",
        "application/consumer.py",
        "        try:\n            await self._apply(received)",
        "        await self._backend.bus.acknowledge(received.messages)\n"
        "        try:\n            await self._apply(received)",
        "sweep",
    ),
    Planted(
        "never acknowledges",
        "application/inbox.py",
        "            stepper.consumed.append(self.inbox.position)",
        "            pass",
        "application",
    ),
    Planted(
        "takes up only messages that come after a takeover",
        "application/consumer.py",
        "for message in received.messages:\n            bytes_read += len(message.body)",
        "for message in received.messages:\n"
        "            if message.partition in self._drains:\n"
        "                continue\n"
        "            bytes_read += len(message.body)",
        "application",
    ),
    Planted(
        "ignores a loss of commits",
        "application/marks.py",
        "elif before is not None and mark.commits < before.commits:",
        "elif before is not None and mark.commits < 0:",
        "application",
    ),
    Planted(
        "reads on behind old positions after a loss",
        "application/consumer.py",
        'self._positions[partition] = ""  # what was consumed may be back, behind where we read',
        "pass",
        "application",
    ),
    Planted(
        "leases a partition for ever",
        "application/ownership.py",
        "next_s=self.renew_s, lasts_s=self._ttl_s, now_ms=now_ms,",
        "next_s=self.renew_s, lasts_s=3.2e7, now_ms=now_ms,",
        "application",
    ),
    Planted(
        "waits for the lease of an orchestrator that is seen to have ended",
        "application/ownership.py",
        "present = _present(told, now_ms) - self._ended(told)",
        "present = _present(told, now_ms)",
        "application",
    ),
    Planted(
        "listens also for one that asks for itself, and hears its news without end",
        "application/reception.py",
        "if one.waiting and not one.asking]",
        "if one.waiting]",
        "application",
    ),
    Planted(
        "leaves a task to its fate that was completed with what cannot be read",
        "application/inbox.py",
        "lease = message.lease or lease",
        "lease = lease or None",
        "application",
    ),
    Planted(
        "forgets who fell silent together with their sign of life",
        "application/signs.py",
        "await kv.set(key, orjson.dumps(sign), lasts_s + LATELY_S, now_ms)",
        "await kv.set(key, orjson.dumps(sign), lasts_s, now_ms)",
        "application",
    ),
    Planted(
        "says of a dead letter that it lies in the inbox",
        "application/explain.py",
        "if letter is not None:",
        "if False:",
        "application",
    ),
    Planted(
        "leaves out what it received before its partition was taken again",
        "application/consumer.py",
        "            if drain is not None:",
        "            if drain is not None and self._careful(item):",
        "application",
    ),
    Planted(
        "takes the death of one owner that holds a stage for a crash of the holding",
        "application/consumer.py",
        "elif tries <= TRIES + HOLDS:",
        "elif tries == TRIES + 1:",
        "application",
    ),
    Planted(
        "tries in one partition while what it tries in another kills the process",
        "application/consumer.py",
        "async with self._reception.alone:",
        "if True:",
        "application",
    ),
    Planted(
        "counts the tries of a poison message for its neighbours too",
        "application/takeover.py",
        'key = f"try:{self.partition}:{what}"',
        'key = f"try:{self.partition}"',
        "application",
    ),
    Planted(
        "never finds out that a message kills whoever reads it",
        "application/takeover.py",
        "await self._kv.get(self._mark, now_ms) is not None",
        "await self._kv.get(self._mark, now_ms) is None",
        "application",
    ),
    Planted(
        "takes a lost race for a commit",
        "application/batch.py",
        "            if verdict is Verdict.COMMITTED:",
        "            if verdict is not Verdict.FENCED:",
        "application",
    ),
    Planted(
        "keeps in memory what a conflict has shown to be stale",
        "application/batch.py",
        "            self._lives.drop(workflow_id)\n            if verdict",
        "            if verdict",
        "application",
    ),
    Planted(
        "throws away a result that looks unwanted on what it remembers",
        "application/batch.py",
        "elif folded.stepper.changed or workflow_id in fresh:",
        "elif True:",
        "application",
    ),
    Planted(
        "drops the neighbours of a result whose token is stale",
        "application/batch.py",
        '            elif len(items) == 1:\n                await self.drop(items, "stale',
        '            elif items:\n                await self.drop(items, "stale',
        "application",
    ),
    Planted(
        "keeps what it remembers after a call whose outcome is unknown",
        "application/consumer.py",
        '                self._positions[message.partition] = ""\n        self._lives.clear()',
        '                self._positions[message.partition] = ""',
        "application",
    ),
    Planted(
        "does not check results against their contracts",
        "application/inbox.py",
        "violations=_violations(envelope, compiled) if success else (),",
        "violations=(),",
        "application",
    ),
    Planted(
        "applies results without proof of their lease",
        "application/inbox.py",
        "fence=TaskLease(str(result.task), result.token),",
        "fence=None,",
        "application",
    ),
    Planted(
        "sets timers nowhere that outlives the process",
        "application/stepper.py",
        "timers={id_: at for id_, at in new.timers.items() if old.timers.get(id_) != at},",
        "timers={},",
        "application",
    ),
    Planted(
        "lets time run backwards within a workflow",
        "application/stepper.py",
        "now_ms = max(now_ms, self.state.updated_at_ms)",
        "now_ms = max(now_ms, 0)",
        "application",
    ),
    Planted(
        "answers a command before it is committed",
        "application/submission.py",
        "        if await self._committer.commit(commit) is not Verdict.COMMITTED:\n",
        '        commits = __import__("asyncio").ensure_future(self._committer.commit(commit))\n'
        "        if commits.cancelled():\n",
        "application",
    ),
    Planted(
        "repairs blindly, whether something is missing or not",
        "application/reconciler.py",
        "[id_ for id_ in wanted.tasks if id_ not in present]",
        "list(wanted.tasks)",
        "application",
    ),
)
