"""What stands behind the control interface."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stagewright.entrypoints.api.rules import Rules
from stagewright.ports.control import ICommands, IQueries
from stagewright.ports.dead_letters import IDeadLetters
from stagewright.ports.keys import IKeys

if TYPE_CHECKING:
    from stagewright.application.access import Access
    from stagewright.application.actor import Actor

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Door:
    """The use cases that the routes call, and the token that opens them."""

    commands: ICommands
    queries: IQueries
    dead_letters: IDeadLetters
    token: str
    access: Access | None = field(default=None, kw_only=True)
    """Keys, sessions and the audit; without it only the token opens, and nothing is written."""
    keys: IKeys | None = field(default=None, kw_only=True)
    """Set in the door of an actor."""
    rules: Rules = field(default_factory=Rules, kw_only=True)

    def acting(self, actor: Actor) -> Door:
        """Return the door whose changes are made in an actor's name, and written down."""
        if self.access is None:
            return self
        acting = self.access.acting(actor, self.commands, self.dead_letters)
        return replace(
            self, commands=acting.commands, dead_letters=acting.dead_letters, keys=acting.keys
        )
