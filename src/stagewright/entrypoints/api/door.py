"""What stands behind the control interface."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stagewright.application.access import Access, Changes
from stagewright.application.actor import Actor
from stagewright.application.desk_means import DeskMeans
from stagewright.application.feed_streams import LiveEvents
from stagewright.entrypoints.api.rules import Rules
from stagewright.entrypoints.container import Container
from stagewright.ports.agent_desk import IAgentMeans, IServedDesk
from stagewright.ports.bulk import IBulk
from stagewright.ports.catalogue import ICatalogue
from stagewright.ports.control import ICommands, IQueries
from stagewright.ports.dead_letters import IDeadLetters
from stagewright.ports.details import IDetails
from stagewright.ports.keys import IKeys
from stagewright.ports.letter_desk import ILetterDesk
from stagewright.ports.readiness import IReadiness
from stagewright.ports.stage_details import IStageDetails

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where agents over HTTP work."""

    tasks: IServedDesk
    means: IAgentMeans


@dataclass(frozen=True, slots=True)
class Door:
    """The use cases that the routes call, and the token that opens them."""

    commands: ICommands
    queries: IQueries
    dead_letters: IDeadLetters
    token: str
    details: IDetails
    catalogue: ICatalogue
    letter_desk: ILetterDesk
    bulk: IBulk
    readiness: IReadiness
    live: LiveEvents
    access: Access | None = field(default=None, kw_only=True)
    """Keys, sessions and the audit; without it only the token opens, and nothing is written."""
    keys: IKeys | None = field(default=None, kw_only=True)
    """Set in the door of an actor."""
    rules: Rules = field(default_factory=Rules, kw_only=True)
    desk: Desk | None = field(default=None, kw_only=True)
    stage_details: IStageDetails | None = field(default=None, kw_only=True)

    def acting(self, actor: Actor) -> Door:
        """Return the door whose changes are made in an actor's name, and written down."""
        if self.access is None:
            return self
        plain = Changes(self.commands, self.dead_letters, self.letter_desk, self.bulk)
        acting = self.access.acting(actor, plain)
        return replace(
            self,
            commands=acting.commands,
            dead_letters=acting.dead_letters,
            letter_desk=acting.letter_desk,
            bulk=acting.bulk,
            keys=acting.keys,
        )


def door_over(container: Container, token: str, rules: Rules) -> Door:
    """Return the door to the use cases of this process."""
    control, desk = container.control(), container.desk()
    return Door(
        control.commands,
        control.queries,
        control.dead_letters,
        token,
        details=control.details,
        catalogue=control.catalogue,
        letter_desk=control.letter_desk,
        bulk=control.bulk,
        readiness=container.readiness(),
        live=control.live,
        access=control.access,
        rules=rules,
        desk=Desk(desk, DeskMeans(desk, container.backend().blobs)),
        stage_details=control.stage_details,
    )
