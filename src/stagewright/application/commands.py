"""Commands: decided and committed by whoever received them, before the answer leaves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from stagewright.application.catalog import Catalog, Compiled
from stagewright.application.live import Live, LiveWorkflows
from stagewright.application.reconciler import Reconciler
from stagewright.application.redrive import redrive
from stagewright.application.refusals import answer_of, approval_of
from stagewright.application.registered_contracts import (
    registered_contracts,
    same_but_for_contracts,
)
from stagewright.application.replay import replay_report
from stagewright.application.submission import Submission
from stagewright.application.successor import carry_blobs, successor
from stagewright.domain import ids as identity
from stagewright.domain import messages as m
from stagewright.domain.contracts import Contract
from stagewright.domain.defaults import with_defaults
from stagewright.domain.errors import UsageError, ValidationFailed
from stagewright.domain.parsing import parse_definition
from stagewright.domain.places import At, pointer
from stagewright.domain.records import but
from stagewright.domain.stage_result import BLOB_KEY
from stagewright.domain.workflow import Answer, WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.control import (
    CommandReply,
    CommandRequest,
    RegisterRequest,
    Started,
    StartRequest,
)
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.views import DefinitionView, ReplayReport

_COMMAND_ID = re.compile(r"[0-9a-f]{32}")


class Commands:
    """Implements `ICommands` over a backend."""

    def __init__(
        self,
        backend: Backend,
        catalog: Catalog,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
    ) -> None:
        self._backend = backend
        self._catalog = catalog
        self._clock = clock
        self._ids = ids
        self._submission = Submission(backend, catalog, clock, ids, randomness)
        self._durability: str | None = None

    async def start(self, request: StartRequest) -> Started:
        """Start a workflow; committed before this returns."""
        hash_ = await self._catalog.resolve(request.definition)
        compiled = await self._catalog.compiled(hash_)
        body = _input(compiled, request.input)
        message = m.Start(
            command_id=self._ids.uuid7(),
            input=body,
            body_hash=_body_hash(compiled.plan.definition.name, body, request),
            key=request.key,
            priority=request.priority,
            labels=request.labels,
            deadline_s=request.deadline_s,
            by=request.by,
            title=request.name,
            description=request.description,
        )
        id_ = self._id_for(compiled, request.key)
        answer = await self._submission.start(id_, compiled, message)
        return Started(
            workflow_id=id_,
            created=answer.code != "repeated",
            durability=await self.durability(),
        )

    def _id_for(self, compiled: Compiled, key: str | None) -> str:
        partitions = self._backend.partitions
        if key is None:
            return identity.unkeyed_workflow_id(self._ids.uuid7(), partitions)
        return identity.keyed_workflow_id(compiled.plan.definition.name, key, partitions)

    async def command(self, workflow_id: str, request: CommandRequest) -> CommandReply:
        """Apply a command; committed before this returns."""
        live = await self._submission.load(workflow_id)
        command_id = _command_id(request) or self._ids.uuid7()
        known = next((a for a in live.state.answers if a.command_id == command_id), None)
        if known is not None:  # what it leaves out was found in a state that is gone
            return await self._reply(workflow_id, answer_of(known, workflow_id))
        if request.kind == "retry" and live.state.status.terminal:
            return await self._continue(live, request, command_id)
        message = _message(live.state, request, command_id)
        cause = f"command {type(message).__name__}"
        answer = answer_of(await self._submission.tell(live, message, cause), workflow_id)
        return await self._reply(workflow_id, answer)

    async def _continue(self, live: Live, request: CommandRequest, command_id: str) -> CommandReply:
        """Start a successor of a finished workflow: one for each command."""
        old = live.state.workflow_id
        edited = None if request.data is None else _input(live.compiled, request.data)
        message = but(successor(live, command_id, request.stage, edited), by=request.by)
        new = identity.workflow_id(identity.partition_of(old), command_id)
        await carry_blobs(self._backend.blobs, old, new, message.carried_outputs)
        answer = await self._submission.start(new, live.compiled, message)
        return await self._reply(new, but(answer, detail=f"continues {old}"))

    async def _reply(self, workflow_id: str, answer: Answer) -> CommandReply:
        return CommandReply(
            workflow_id=workflow_id,
            code=answer.code,
            detail=answer.detail,
            durability=await self.durability(),
        )

    async def register(self, request: RegisterRequest) -> DefinitionView:
        """Check and register a definition; durable before this returns."""
        definition = parse_definition(request.definition)
        contracts = [_contract(body) for body in request.contracts]
        entry = None
        if request.registered:
            registry, named = self._backend.registry, {one.name for one in contracts}
            entry = await same_but_for_contracts(registry, definition)
            contracts += await registered_contracts(registry, definition, named)
        entry = entry or await self._catalog.register(
            definition, contracts, development=request.development
        )
        compiled = await self._catalog.compiled(entry.hash)
        return DefinitionView(
            name=entry.name,
            version=entry.version,
            hash=entry.hash,
            registered_at_ms=entry.registered_at_ms,
            contracts_checked=bool(compiled.plan.definition.contracts),
        )

    async def replay(self, workflow_id: str, *, repair: bool = False) -> ReplayReport:
        """Fold the log, compare with the snapshot, and re-emit what is missing in flight."""
        report = await replay_report(self._backend, workflow_id)
        if not repair:
            return report
        lives = LiveWorkflows(self._backend.store, self._catalog)
        repaired = await Reconciler(self._backend, lives, self._clock).repair([workflow_id])
        return report.model_copy(update={"repaired": repaired > 0})

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        """Put a dead letter back into its inbox, with the token its task has now.

        Refused while the workflow does not wait for that very task: it could only be refused again.
        """
        await redrive(self._backend, self._submission, self._clock, letter_id, body)

    async def durability(self) -> str:
        """Return the durability class in force, asked once."""
        if self._durability is None:
            self._durability = (await self._backend.kv.health()).durability
        return self._durability


def _command_id(request: CommandRequest) -> str | None:
    """Return the id that the caller chose: it orders commands and names what they bring."""
    id_ = request.command_id
    if id_ is not None and not _COMMAND_ID.fullmatch(id_):
        raise ValidationFailed(
            f"command_id: expected 32 hex digits, found {id_[:64]!r}.", remedy="Draw a UUIDv7."
        )
    return id_


def _message(state: WorkflowState, request: CommandRequest, command_id: str) -> m.Command:
    match request.kind:
        case "pause":
            return m.PauseWorkflow(command_id, request.by, request.reason)
        case "resume":
            return m.ResumeWorkflow(command_id, request.by)
        case "cancel":
            return m.CancelWorkflow(command_id, request.by, request.reason)
        case "retry":
            return m.RetryStage(command_id, request.by, request.stage)
        case "signal":
            if request.name is None:
                raise UsageError("a signal needs a name", remedy="Give `name`.")
            return m.Signal(command_id, request.name, _stored("data", request.data))
        case "approve" | "reject":
            return _decision(state, request, command_id)


def _stored(field: str, value: Any) -> bytes:
    """Return a value as outputs are stored; ValidationFailed for what stands for a blob there."""
    if isinstance(value, dict) and BLOB_KEY in value:
        raise ValidationFailed(
            f"{field}: the key {BLOB_KEY!r} is reserved for references to blobs.",
            remedy="Use another key.",
        )
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _input(compiled: Compiled, value: Any) -> bytes:
    """Return the input with its schema's defaults; ValidationFailed names each field."""
    schema = compiled.plan.definition.input
    value = value if schema is None else with_defaults(schema, value)
    problems = () if compiled.input is None else compiled.input.problems(value)
    if problems:
        definition = compiled.plan.definition
        raise ValidationFailed(
            f"The input does not fit {definition.name} {definition.version}.",
            problems=[_at_input(p) for p in problems],
            remedy="Correct the fields named.",
        )
    return _stored("input", value)


def _at_input(problem: Mapping[str, Any]) -> At:
    path = str(problem["path"])
    where = pointer(["input", *filter(None, path.split("/"))])
    return At(f"{path or 'input'}: {problem['message']}", where)


def _contract(body: dict[str, Any]) -> Contract:
    try:
        return Contract.model_validate(body)
    except ValidationError as error:
        found = [At.field(e["loc"], e["msg"]) for e in error.errors()]
        raise ValidationFailed("A contract cannot be used.", problems=found) from error


def _body_hash(name: str, body: bytes, request: StartRequest) -> str:
    said: list[Any] = [name, request.priority, request.labels, request.deadline_s]
    if request.name or request.description:  # a start without them keeps the hash it always had
        said += [request.name, request.description]
    rest = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body + rest).hexdigest()


def _decision(state: WorkflowState, request: CommandRequest, command_id: str) -> m.Decide:
    stage = request.stage
    if stage is None:
        stage = approval_of(state)
    return m.Decide(
        command_id=command_id,
        stage=stage,
        visit=request.visit,
        shown_hash=request.shown_hash,
        approved=request.kind == "approve",
        by=request.by,
        groups=request.groups,
        comment=request.reason,
        data=request.data,
    )
