"""Commands: decided and committed by whoever received them, before the answer leaves."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import orjson
from pydantic import ValidationError

from stagewright.application.catalog import Catalog, Compiled
from stagewright.application.committer import Committer
from stagewright.application.inbox import Refusal, read_message
from stagewright.application.live import Live, LiveWorkflows
from stagewright.application.reconciler import Reconciler
from stagewright.application.replay import replay_report
from stagewright.application.stepper import Stepper, supply
from stagewright.domain import messages as m
from stagewright.domain.contracts import Contract
from stagewright.domain.decide import awaited_task
from stagewright.domain.defaults import with_defaults
from stagewright.domain.errors import (
    AlreadyDecided,
    Conflict,
    NotFound,
    Refused,
    UsageError,
    ValidationFailed,
)
from stagewright.domain.ids import keyed_workflow_id, partition_of, unkeyed_workflow_id
from stagewright.domain.outputs import OutputMissing
from stagewright.domain.parsing import parse_definition
from stagewright.domain.workflow import INPUT_KEY, Answer, ApprovalWait, WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.control import (
    CommandReply,
    CommandRequest,
    RegisterRequest,
    Started,
    StartRequest,
)
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.views import DefinitionView, ReplayReport
from stagewright.ports.workflow_store import Tombstone, Verdict

ROUNDS = 50
"""So often a command is decided again because the workflow moved meanwhile."""


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
        self._random = randomness
        self._committer = Committer(backend.store, clock)
        self._durability: str | None = None

    async def start(self, request: StartRequest) -> Started:
        """Start a workflow; committed before this returns."""
        hash_ = await self._catalog.resolve(request.definition)
        compiled = await self._catalog.compiled(hash_)
        given = _checked_input(compiled, request.input)
        body = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
        message = m.Start(
            command_id=self._ids.uuid7(),
            input=body,
            body_hash=_body_hash(compiled.plan.definition.name, body, request),
            key=request.key,
            priority=request.priority,
            labels=request.labels,
            deadline_s=request.deadline_s,
        )
        return await self._started(self._id_for(compiled, request.key), compiled, message)

    def _id_for(self, compiled: Compiled, key: str | None) -> str:
        partitions = self._backend.partitions
        if key is None:
            return unkeyed_workflow_id(self._ids.uuid7(), partitions)
        return keyed_workflow_id(compiled.plan.definition.name, key, partitions)

    async def _started(self, workflow_id: str, compiled: Compiled, message: m.Start) -> Started:
        answer = await self._submit(workflow_id, message, compiled)
        return Started(
            workflow_id=workflow_id,
            created=answer.code != "repeated",
            durability=await self.durability(),
        )

    async def command(self, workflow_id: str, request: CommandRequest) -> CommandReply:
        """Apply a command; committed before this returns."""
        live = await self._load(workflow_id)
        if request.kind == "retry" and live.state.status.terminal:
            return await self._continue(live, request)
        message = self._message(live.state, request)
        answer = await self._submit(workflow_id, message, live.compiled)
        return await self._reply(workflow_id, answer)

    async def _reply(self, workflow_id: str, answer: Answer) -> CommandReply:
        return CommandReply(
            workflow_id=workflow_id,
            code=answer.code,
            detail=answer.detail,
            durability=await self.durability(),
        )

    def _message(self, state: WorkflowState, request: CommandRequest) -> m.Command:
        command_id = request.command_id or self._ids.uuid7()
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
                payload = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
                return m.Signal(command_id, request.name, payload)
            case "approve" | "reject":
                return _decision(state, request, command_id)

    async def _submit(self, workflow_id: str, message: m.Command, compiled: Compiled) -> Answer:
        """Decide and commit until the answer rests on the newest state."""
        live: Live | None = None
        if not isinstance(message, m.Start):
            live = await self._load(workflow_id)
        for _ in range(ROUNDS):
            stepper = await self._decided(workflow_id, compiled, live, message)
            if not stepper.changed:
                return _answer_of(stepper.answer, workflow_id)
            verdict = await self._committer.commit(stepper.commit())
            if verdict is Verdict.COMMITTED:
                return _answer_of(stepper.answer, workflow_id)
            live = await self._load_or_none(workflow_id)
            if live is None:
                return await self._gone(workflow_id, message)
        raise Conflict(f"{workflow_id} kept moving", remedy="Send the command again.")

    async def _decided(
        self, workflow_id: str, compiled: Compiled, live: Live | None, message: m.Command
    ) -> Stepper:
        while True:
            stepper = Stepper(workflow_id, compiled, live, self._ids, self._random)
            try:
                cause = f"command {type(message).__name__}"
                stepper.apply(message, cause, self._clock.now_ms())
                if stepper.changed:
                    stepper.commit()
            except OutputMissing as missing:
                await supply(self._backend.blobs, workflow_id, stepper.outputs, missing)
            else:
                return stepper

    async def _gone(self, workflow_id: str, message: m.Command) -> Answer:
        """A start that met a tombstone: the same body gets the same answer."""
        (found,) = await self._backend.store.load([workflow_id])
        if isinstance(found, Tombstone) and isinstance(message, m.Start):
            if found.body_hash == message.body_hash:
                return Answer(message.command_id, ok=True, code="repeated")
            raise Conflict(
                f"key {message.key!r} was used with another body",
                remedy="Use another key, or send the body that was sent first.",
            )
        raise NotFound("workflow", workflow_id)

    async def _load(self, workflow_id: str) -> Live:
        live = await self._load_or_none(workflow_id)
        if live is None:
            raise NotFound("workflow", workflow_id)
        return live

    async def _load_or_none(self, workflow_id: str) -> Live | None:
        try:
            partition = partition_of(workflow_id)
        except ValueError:
            return None
        if partition >= self._backend.partitions:
            return None
        lives = LiveWorkflows(self._backend.store, self._catalog)
        return (await lives.get([workflow_id])).get(workflow_id)

    async def _continue(self, live: Live, request: CommandRequest) -> CommandReply:
        """Start a successor of a finished workflow; finished outputs come along."""
        old = live.state
        body = live.outputs.raw(INPUT_KEY)
        if request.data is not None:
            given = _checked_input(live.compiled, request.data)
            body = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
        first = request.stage or (old.ending.stage if old.ending is not None else None)
        if first is not None and live.compiled.plan.stages.get(first) is None:
            raise NotFound("stage", first, known=sorted(live.compiled.plan.stages))
        carried = _carried(live, first) if request.data is None else {}
        message = m.Start(
            command_id=request.command_id or self._ids.uuid7(),
            input=body,
            body_hash=hashlib.sha256(body + old.workflow_id.encode()).hexdigest(),
            priority=old.priority,
            labels=old.labels,
            continues=old.workflow_id,
            from_stage=None if request.data is not None and request.stage is None else first,
            carried=carried,
            carried_outputs={
                key: live.outputs.raw(key)
                for record in carried.values()
                for key in (record.output, record.source)
                if key
            },
        )
        unique = (request.command_id or self._ids.uuid7())[-32:]
        partition = partition_of(old.workflow_id)
        successor = f"p{partition:02d}-{unique}"
        answer = await self._submit(successor, message, live.compiled)
        return await self._reply(successor, replace(answer, detail=f"continues {old.workflow_id}"))

    async def register(self, request: RegisterRequest) -> DefinitionView:
        """Check and register a definition; durable before this returns."""
        definition = parse_definition(request.definition)
        contracts = [_contract(body) for body in request.contracts]
        entry = await self._catalog.register(definition, contracts, development=request.development)
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
        if not repair or not report.missing:
            return report
        lives = LiveWorkflows(self._backend.store, self._catalog)
        repaired = await Reconciler(self._backend, lives, self._clock).repair([workflow_id])
        return report.model_copy(update={"repaired": repaired > 0})

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        """Put a dead letter back into its inbox, with the token its task has now.

        Refused while the workflow does not wait for that very task: it could only be refused again.
        """
        letter = await self._backend.dead_letters.read(letter_id)
        if letter is None:
            raise NotFound("dead letter", letter_id)
        body = letter.body if body is None else body
        item = read_message(InboxMessage(partition_of(letter_id), "", body))
        if isinstance(item, Refusal):
            raise ValidationFailed(item.reason)
        if item.result is None or item.fence is None:
            raise Refused("only results can be redriven")
        live = await self._load(item.workflow_id)
        if awaited_task(live.state, item.result.task) is None:
            raise Refused(
                f"nothing waits for {item.result.task}",
                remedy="Edit the letter to name the attempt in flight, or discard it.",
            )
        body = await self._with_current_token(body, item.fence.task_id)
        if not await self._backend.dead_letters.redrive(letter_id, body, self._clock.now_ms()):
            raise AlreadyDecided(f"{letter_id} was redriven or discarded before")

    async def _with_current_token(self, body: bytes, task_id: str) -> bytes:
        """An operator's word stands for the lease: the letter gets the token in force."""
        (records,) = await self._backend.tasks.inspect([task_id.partition("/")[0]])
        token = next((r.token for r in records if r.task_id == task_id), None)
        if token is None:
            raise Refused(f"{task_id} has no task record")
        envelope = orjson.loads(body)
        envelope["leasetoken"] = token
        return orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)

    async def durability(self) -> str:
        """Return the durability class in force, asked once."""
        if self._durability is None:
            self._durability = (await self._backend.store.health()).durability
        return self._durability


def _checked_input(compiled: Compiled, value: Any) -> Any:
    """Return the input with its schema's defaults; ValidationFailed names each field."""
    schema = compiled.plan.definition.input
    value = value if schema is None else with_defaults(schema, value)
    problems = () if compiled.input is None else compiled.input.problems(value)
    if problems:
        lines = "; ".join(f"{p['path'] or 'input'}: {p['message']}" for p in problems)
        raise ValidationFailed(
            f"input does not fit {compiled.plan.definition.name}: {lines}",
            remedy="Correct the fields named.",
        )
    return value


def _contract(body: dict[str, Any]) -> Contract:
    try:
        return Contract.model_validate(body)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ValidationFailed("A contract cannot be used.", problems=found) from error


def _body_hash(name: str, body: bytes, request: StartRequest) -> str:
    rest = orjson.dumps(
        [name, request.priority, request.labels, request.deadline_s], option=orjson.OPT_SORT_KEYS
    )
    return hashlib.sha256(body + rest).hexdigest()


def _decision(state: WorkflowState, request: CommandRequest, command_id: str) -> m.Decide:
    stage = request.stage
    if stage is None:
        waiting = [s for s, w in sorted(state.awaiting.items()) if isinstance(w, ApprovalWait)]
        if len(waiting) != 1:
            named = ", ".join(waiting) or "none"
            raise Refused(f"approvals that wait: {named}", remedy="Name the stage.")
        stage = waiting[0]
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


def _carried(live: Live, first: str | None) -> dict[str, Any]:
    """Records of stages that ended, except the one to start from: it begins at its first visit."""
    carried = {}
    for name, record in live.state.stages.items():
        if name == first:
            carried[name] = replace(
                record,
                visit=0,
                attempt=0,
                failures=0,
                repairs=0,
                outcome=None,
                ended_step=0,
                previous_step=0,
                ended_at_ms=None,
            )
        elif record.outcome is not None:
            carried[name] = replace(record, ended_step=0, previous_step=0, visit=0)
    return carried


_REFUSALS = {
    "conflict": Conflict,
    "already_decided": AlreadyDecided,
    "stale": AlreadyDecided,
    "ended": AlreadyDecided,
    "invalid": ValidationFailed,
}


def _answer_of(answer: Answer | None, workflow_id: str) -> Answer:
    """Return a yes; raise the error that a no stands for."""
    if answer is None:
        raise Refused(f"{workflow_id} gave no answer")
    if answer.ok:
        return answer
    if answer.code == "not_found":
        raise NotFound("workflow", workflow_id)
    raise _REFUSALS.get(answer.code, Refused)(answer.detail)
