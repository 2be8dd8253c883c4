"""Bugs in the rules themselves."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_DOMAIN = (
    Planted(
        "lets commands change a workflow that has ended",
        "domain/commands.py",
        '        elif draft.state.status.terminal:\n            refuse(draft, message, "ended"',
        '        elif False:\n            refuse(draft, message, "ended"',
        "kernel",
    ),
    Planted(
        "joins branches by a counter, so that a branch that ends twice counts twice",
        "domain/evolve.py",
        "expected=tuple(b for b in group.expected if b != event.branch),",
        "expected=group.expected[1:],",
        "kernel",
    ),
    Planted(
        "leaves branches running that the join does not need any more",
        "domain/stages.py",
        "    cancel_branches(draft, group, wait.expected)\n    visit =",
        "    visit =",
        "kernel",
    ),
    Planted(
        "retries without bound",
        "domain/decide.py",
        "if final or record.failures + 1 >= retry.attempts:",
        "if final:",
        "kernel",
    ),
    Planted(
        "sends work back without bound",
        "domain/stages.py",
        "if limit is None or visit <= limit or insisted:",
        "if True:",
        "kernel",
    ),
    Planted(
        "applies a result of an earlier attempt",
        "domain/decide.py",
        "(wait.visit, wait.attempt) == (task.visit, task.attempt):\n        return wait",
        "wait.visit == task.visit:\n        return wait",
        "kernel",
    ),
    Planted(
        "lets an event be applied by the clock of whoever replays it",
        "domain/evolve.py",
        "        started_at_ms=at_ms,\n        previous_step",
        '        started_at_ms=__import__("time").time_ns() // 1_000_000,\n        previous_step',
        "kernel",
    ),
    Planted(
        "keeps the answer to the newest command only, and applies the others again",
        "domain/evolve.py",
        "answers = (*answers, step.answer)",
        "answers = (step.answer,)",
        "kernel",
    ),
    Planted(
        "takes a command for new that is older than all the answers kept",
        "domain/decide.py",
        "late = message.command_id <= state.forgotten_command",
        "late = False",
        "kernel",
    ),
    Planted(
        "accepts another body under a key that was used",
        "domain/commands.py",
        "if state.body_hash == message.body_hash:",
        "if state.body_hash:",
        "kernel",
    ),
    Planted(
        "gives a task that kills its agents to one agent after another for ever",
        "domain/leases.py",
        "if lost + 1 >= LOST_LIMIT else",
        "if lost < 0 else",
        "kernel",
    ),
    Planted(
        "lets a decision about an earlier round approve this one",
        "domain/commands.py",
        "if message.visit is not None and message.visit != wait.visit:",
        "if message.visit is not None and message.visit > wait.visit:",
        "kernel",
    ),
    Planted(
        "throws away what comes while the workflow is paused",
        "domain/decide.py",
        "        park(draft, message)",
        '        draft.ignore("paused")',
        "kernel",
    ),
)
