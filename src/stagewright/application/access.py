"""Who comes in, and what is written down of what they do."""

from __future__ import annotations

from dataclasses import dataclass

from stagewright.application.actor import Actor
from stagewright.application.audit_trail import AuditTrail
from stagewright.application.audited import AuditedCommands, AuditedKeys, AuditedLetters
from stagewright.application.audited_many import AuditedBulk, AuditedDesk
from stagewright.application.gate import Gate
from stagewright.application.keys import Keys
from stagewright.ports.audit import AuditPage, AuditQuery
from stagewright.ports.backend import Backend
from stagewright.ports.bulk import IBulk
from stagewright.ports.control import ICommands
from stagewright.ports.dead_letters import IDeadLetters
from stagewright.ports.keys import IKeys
from stagewright.ports.letter_desk import ILetterDesk
from stagewright.ports.system import IClock, IIdentifiers


class AuditReader:
    """Implements `IAuditReader` over a backend."""

    def __init__(self, backend: Backend, clock: IClock) -> None:
        self._audit, self._clock = backend.audit, clock

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return entries, newest first."""
        return await self._audit.list(query, self._clock.now_ms())


@dataclass(frozen=True, slots=True)
class Changes:
    """The use cases that change workflows and dead letters."""

    commands: ICommands
    dead_letters: IDeadLetters
    letter_desk: ILetterDesk
    bulk: IBulk


@dataclass(frozen=True, slots=True)
class Acting(Changes):
    """The changes that somebody may ask for, each of them written down."""

    keys: IKeys


class Access:
    """Keys, sessions and the audit of one backend."""

    def __init__(self, backend: Backend, clock: IClock, ids: IIdentifiers) -> None:
        self._backend = backend
        self.keys = Keys(backend.registry, clock, ids)
        self.gate = Gate(self.keys, backend.kv, clock, ids)
        self.trail = AuditTrail(backend.audit, clock, ids)
        self.audit = AuditReader(backend, clock)

    def acting(self, actor: Actor, plain: Changes) -> Acting:
        """Return what changes things in an actor's name."""
        trail = self.trail
        return Acting(
            AuditedCommands(plain.commands, self._backend, trail, actor),
            AuditedLetters(plain.dead_letters, trail, actor),
            AuditedDesk(plain.letter_desk, self._backend, trail, actor),
            AuditedBulk(plain.bulk, trail, actor),
            AuditedKeys(self.keys, trail, actor),
        )
