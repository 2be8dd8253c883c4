"""Changes in somebody's name: what they may say for others, and that it is written down."""

from __future__ import annotations

from typing import Any

from stagewright.application.actor import Actor
from stagewright.application.audit_trail import AuditTrail
from stagewright.application.keys import shown
from stagewright.domain.errors import StagewrightError
from stagewright.domain.snapshot import decode_state
from stagewright.ports.backend import Backend
from stagewright.ports.control import (
    CommandReply,
    CommandRequest,
    ICommands,
    RegisterRequest,
    Started,
    StartRequest,
)
from stagewright.ports.dead_letters import DeadLetter, IDeadLetters
from stagewright.ports.keys import IKeys, KeyRequest, KeyView, NewKey
from stagewright.ports.views import DefinitionView, ReplayReport
from stagewright.ports.workflow_store import IWorkflowStore, Stored


class AuditedCommands:
    """`ICommands` of one actor."""

    def __init__(
        self, commands: ICommands, backend: Backend, trail: AuditTrail, actor: Actor
    ) -> None:
        self._commands, self._trail, self._actor = commands, trail, actor
        self._store, self._letters = backend.store, backend.dead_letters

    async def start(self, request: StartRequest) -> Started:
        """Start a workflow. Its own log tells by whom; only what was refused stands in the audit.

        So a start is written once, by the step that makes it, and the record lives as long as what
        it is about.
        """
        request = request.model_copy(update={"by": speaker(self._actor, request.by)})
        try:
            return await self._commands.start(request)
        except StagewrightError as error:
            await self._trail.refused(self._actor, "workflow.start", request.definition, error)
            raise

    async def command(self, workflow_id: str, request: CommandRequest) -> CommandReply:
        """Apply a command."""
        by, groups = spoken(self._actor, request.by, request.groups)
        request = request.model_copy(update={"by": by, "groups": groups})
        before = await facts_of(self._store, workflow_id)
        action = f"workflow.{request.kind}"
        async with self._trail.change(self._actor, action, workflow_id, before) as note:
            reply = await self._commands.command(workflow_id, request)
            note.after = await self._after(workflow_id, request, reply)
        return reply

    async def _after(
        self, workflow_id: str, request: CommandRequest, reply: CommandReply
    ) -> dict[str, Any]:
        after = {**await facts_of(self._store, workflow_id), "answer": reply.code}
        if request.by != self._actor.name:
            after["by"] = request.by[:64]
        if reply.workflow_id != workflow_id:
            after["successor"] = reply.workflow_id
        given = {"stage": request.stage, "visit": request.visit, "name": request.name}
        return after | {name: value for name, value in given.items() if value is not None}

    async def register(self, request: RegisterRequest) -> DefinitionView:
        """Check and register a definition."""
        found = (str(request.definition.get(field, ""))[:64] for field in ("name", "version"))
        target = "@".join(found)
        async with self._trail.change(self._actor, "definition.register", target) as note:
            view = await self._commands.register(request)
            note.target = f"{view.name}@{view.version}"
            note.after = {"hash": view.hash}
        return view

    async def replay(self, workflow_id: str, *, repair: bool = False) -> ReplayReport:
        """Compare log and snapshot; only a repair changes anything."""
        if not repair:
            return await self._commands.replay(workflow_id)
        async with self._trail.change(self._actor, "workflow.repair", workflow_id) as note:
            report = await self._commands.replay(workflow_id, repair=True)
            note.after = {"repaired": report.repaired}
        return report

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        """Put a dead letter back."""
        before = await letter_facts(self._letters, letter_id)
        change = self._trail.change(self._actor, "dead-letter.redrive", letter_id, before)
        async with change as note:
            await self._commands.redrive(letter_id, body)
            note.after = {"edited": body is not None}


ANYBODY = "anonymous"
"""What a request says that names nobody."""
_GROUP = "group:"


def speaker(actor: Actor, by: str) -> str:
    """Return in whose name something is done: the actor's own, unless they speak for others."""
    return by if actor.speaks_for_others and by not in {"", ANYBODY} else actor.name


def spoken(actor: Actor, by: str, groups: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return in whose name something is done, and for which groups that are theirs."""
    if actor.speaks_for_others:
        return speaker(actor, by), groups
    theirs = {_GROUP + group for group in actor.groups}
    named = groups or actor.groups
    return actor.name, tuple(g for g in named if _GROUP + g.removeprefix(_GROUP) in theirs)


class AuditedLetters:
    """`IDeadLetters` of one actor."""

    def __init__(self, letters: IDeadLetters, trail: AuditTrail, actor: Actor) -> None:
        self._letters, self._trail, self._actor = letters, trail, actor
        self.list, self.read = letters.list, letters.read

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:
        """Put `body` into the inbox as it is."""
        before = await letter_facts(self._letters, letter_id)
        change = self._trail.change(self._actor, "dead-letter.redrive", letter_id, before)
        async with change as note:
            there = await self._letters.redrive(letter_id, body, now_ms)
            note.after = {"edited": True, "there": there}
        return there

    async def discard(self, letter_id: str) -> bool:
        """Delete a letter; whether it was there."""
        before = await letter_facts(self._letters, letter_id)
        change = self._trail.change(self._actor, "dead-letter.discard", letter_id, before)
        async with change as note:
            there = await self._letters.discard(letter_id)
            note.after = {"there": there}
        return there


class AuditedKeys:
    """`IKeys` of one actor."""

    def __init__(self, keys: IKeys, trail: AuditTrail, actor: Actor) -> None:
        self._keys, self._trail, self._actor = keys, trail, actor
        self.list = keys.list

    async def create(self, request: KeyRequest) -> NewKey:
        """Make a key."""
        async with self._trail.change(self._actor, "key.create", request.name) as note:
            made = await self._keys.create(request)
            note.target, note.after = made.key_id, {"name": made.name, **shown(made)}
        return made

    async def revoke(self, key_id: str) -> KeyView:
        """Take a key out of service."""
        async with self._trail.change(self._actor, "key.revoke", key_id) as note:
            gone = await self._keys.revoke(key_id)
            note.after = {"name": gone.name, "revoked": True}
        return gone


async def facts_of(store: IWorkflowStore, workflow_id: str) -> dict[str, Any]:
    """Return a workflow's status and step; nothing of one that is not there or unreadable."""
    try:
        (found,) = await store.load([workflow_id])
        if not isinstance(found, Stored):
            return {}
        state = decode_state(found.snapshot)
    except (StagewrightError, ValueError):
        return {}
    return {"status": state.status.value, "stage": state.current_stage, "step": state.step}


async def letter_facts(letters: IDeadLetters, letter_id: str) -> dict[str, Any]:
    """Return what a letter was about; nothing of one that is not there."""
    try:
        letter: DeadLetter | None = await letters.read(letter_id)
    except (StagewrightError, ValueError):
        return {}
    if letter is None:
        return {}
    return {"workflow_id": letter.workflow_id, "reason": letter.reason[:200]}
