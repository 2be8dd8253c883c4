"""What stands behind the control interface."""

from __future__ import annotations

from dataclasses import dataclass

from stagewright.ports.control import ICommands, IQueries
from stagewright.ports.dead_letters import IDeadLetters

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Door:
    """The use cases that the routes call, and the token that opens them."""

    commands: ICommands
    queries: IQueries
    dead_letters: IDeadLetters
    token: str
