"""People and services of a test: they decide what they are asked, and send what is waited for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stagewright.domain.commands import ANYONE, GROUP
from stagewright.domain.workflow import ApprovalWait, SignalWait, WorkflowState
from stagewright.ports.control import CommandRequest

Decided = str | Mapping[str, Any]
"""`approve`, `reject`, or the fields of a command with `decision` as its kind."""


@dataclass(frozen=True)
class People:
    """What is said in a test. Lists hold one answer for each round; the last one is repeated."""

    approvals: Mapping[str, Decided | Sequence[Decided]] = field(default_factory=dict)
    """By stage."""
    signals: Mapping[str, Any] = field(default_factory=dict)
    """By name: the payload."""

    def says(self, state: WorkflowState) -> Iterator[CommandRequest]:
        """What somebody says to a workflow that stands like this."""
        for stage, wait in sorted(state.awaiting.items()):
            if isinstance(wait, ApprovalWait) and stage in self.approvals:
                yield self._vote(stage, wait)
            elif isinstance(wait, SignalWait) and wait.signal in self.signals:
                yield CommandRequest(
                    kind="signal",
                    name=wait.signal,
                    data=self.signals[wait.signal],
                    command_id=_id("signal", stage, wait.visit),
                )

    def _vote(self, stage: str, wait: ApprovalWait) -> CommandRequest:
        said = self.approvals[stage]
        if isinstance(said, Sequence) and not isinstance(said, str):
            said = said[min(wait.visit, len(said)) - 1]
        words = {"decision": said} if isinstance(said, str) else dict(said)
        kind = words.pop("decision", "approve")
        words = {**_voter(wait), **words}
        command_id = _id("vote", stage, wait.visit, words["by"])
        return CommandRequest(
            kind=kind, stage=stage, visit=wait.visit, command_id=command_id, **words
        )


def _voter(wait: ApprovalWait) -> dict[str, Any]:
    """The next of those who may decide."""
    voted = {vote.by for vote in wait.votes}
    for approver in wait.approvers:
        if approver == ANYONE or approver.startswith(GROUP):
            by = next(f"person-{n}" for n in range(1, 1_000) if f"person-{n}" not in voted)
            return {"by": by, "groups": () if approver == ANYONE else (approver,)}
        if approver not in voted:
            return {"by": approver}
    return {"by": "nobody"}


def _id(*words: Any) -> str:
    """The same words have the same command id, however often they are said."""
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]
