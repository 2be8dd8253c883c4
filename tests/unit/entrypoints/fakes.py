"""A control that remembers what it was asked and answers from a small stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from stagewright.domain.errors import NotFound, StagewrightError
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.connections import Connection
from stagewright.ports.bulk import BulkRefusal, BulkRequest, BulkView
from stagewright.ports.control import (
    CommandReply,
    CommandRequest,
    RegisterRequest,
    Started,
    StartRequest,
)
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.details import ApprovalPage, ApprovalQuery, ApprovalView, Count
from stagewright.ports.letter_desk import (
    LetterAction,
    LetterFate,
    LetterGroup,
    LetterGroups,
    LetterReport,
)
from stagewright.ports.readiness import Check, ReadyView
from stagewright.ports.views import (
    DefinitionView,
    LogPage,
    PortView,
    ReplayReport,
    StageView,
    SystemView,
    Waiting,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)
from stagewright.ports.workflow_store import Query

ID = "p01-0192f0c4a3b27e518c2a5d7e9f00aa11"
NOW_MS = 1_700_000_000_000


def view(**changed: Any) -> WorkflowView:
    given: dict[str, Any] = {
        "workflow_id": ID,
        "name": "release",
        "version": "1.0.0",
        "definition": "ab" * 32,
        "status": "running",
        "current_stage": "build",
        "active_stages": ["build"],
        "progress": 50,
        "priority": 2,
        "created_at_ms": NOW_MS,
        "updated_at_ms": NOW_MS,
        "step": 3,
        "stages": [
            StageView(name="plan", kind="agent", status="ended", outcome="ok", visit=1, attempt=1),
            StageView(
                name="build", kind="agent", status="active", visit=2, max_visits=3, attempt=1
            ),
        ],
        "stage_outputs": {"plan": {"steps": 3}},
        "waiting": [
            Waiting(
                stage="build",
                kind="queued",
                owner="agents of build@^1",
                reason="queued since 10 s, no live agent of build@^1",
                since_ms=NOW_MS,
                remedy="stagewright agent run MODULE",
            )
        ],
    }
    return WorkflowView(**(given | changed))


def system(**changed: Any) -> SystemView:
    given: dict[str, Any] = {
        "level": "full",
        "reason": "all ports answer",
        "backend": "memory://",
        "durability": "none",
        "partitions": 2,
        "owners": {0: "o1", 1: "o1"},
        "ports": [PortView(port="store", ok=True, durability="none")],
        "counts": {"running": 1},
        "agents": [],
        "lanes": [],
    }
    return SystemView(**(given | changed))


@dataclass
class FakeControl:
    """Implements ICommands, IQueries and IDeadLetters."""

    views: dict[str, WorkflowView] = field(default_factory=lambda: {ID: view()})
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    health: SystemView = field(default_factory=system)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    refusal: StagewrightError | None = None
    created: bool = True
    endings: list[WorkflowView] = field(default_factory=list)
    """What `show` answers next, one after another; then what is in `views`."""

    def _asked(self, what: str, given: Any) -> None:
        self.calls.append((what, given))
        if self.refusal is not None:
            raise self.refusal

    async def start(self, request: StartRequest) -> Started:
        self._asked("start", request)
        return Started(workflow_id=ID, created=self.created, durability="process")

    async def command(self, workflow_id: str, request: CommandRequest) -> CommandReply:
        self._asked(f"command {workflow_id}", request)
        return CommandReply(
            workflow_id=workflow_id, code="accepted", detail="", durability="process"
        )

    async def register(self, request: RegisterRequest) -> DefinitionView:
        self._asked("register", request)
        return DefinitionView(
            name=request.definition["name"], version="1.0.0", hash="ab" * 32, registered_at_ms=1
        )

    async def replay(self, workflow_id: str, *, repair: bool = False) -> ReplayReport:
        self._asked("replay", (workflow_id, repair))
        return ReplayReport(workflow_id=workflow_id, steps=3, equal=True, repaired=repair)

    async def ended(self, workflow_id: str, wait_s: float) -> WorkflowView:
        await anyio.sleep(min(wait_s, 0.001))
        return await self.show(workflow_id)

    async def show(self, workflow_id: str) -> WorkflowView:
        self._asked("show", workflow_id)
        if self.endings:
            return self.endings.pop(0)
        if workflow_id not in self.views:
            raise NotFound("workflow", workflow_id)
        return self.views[workflow_id]

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> LogPage:
        self._asked("log", (workflow_id, which, after, limit))
        events = [{"type": "WORKFLOW_CREATED"}, {"type": "TASK_ASSIGNED", "stage": "plan"}]
        return LogPage(records=[{"number": 1, "at_ms": NOW_MS, "events": events}])

    async def definitions(self, name: str | None = None) -> Sequence[DefinitionView]:
        self._asked("definitions", name)
        return [DefinitionView(name="release", version="1.0.0", hash="ab" * 32, registered_at_ms=1)]

    async def definition(self, reference: str) -> dict[str, Any]:
        self._asked("definition", reference)
        return {"name": "release", "stages": [{"name": "plan", "agent": "plan@^1"}]}

    async def system(self) -> SystemView:
        self._asked("system", None)
        return self.health

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        self._asked("redrive", (letter_id, body))
        if letter_id not in self.letters:
            raise NotFound("dead letter", letter_id)
        del self.letters[letter_id]

    async def discard(self, letter_id: str, by: str, reason: str) -> None:
        self._asked("discard", (letter_id, by, reason))
        if letter_id not in self.letters:
            raise NotFound("dead letter", letter_id)
        del self.letters[letter_id]

    async def groups(self, workflow_id: str | None = None) -> LetterGroups:
        self._asked("groups", workflow_id)
        one = LetterGroup(
            cause="not JSON", stage="build", count=2, first_at_ms=NOW_MS, last_at_ms=NOW_MS,
            workflows=1, letters=["p01-7"], sample="not JSON at 3",
        )  # fmt: skip
        return LetterGroups(groups=[one], letters=2, complete=True)

    async def act(self, action: LetterAction) -> LetterReport:
        self._asked("act", action)
        fates = [LetterFate(letter_id=each, done=True) for each in action.letters]
        return LetterReport(action=action.action, done=len(fates), refused=0, letters=fates)

    async def count(self, query: Query, most: int = 10_000) -> Count:
        self._asked("count", (query, most))
        return Count(count=len(self.views), exact=True)

    async def approvals(self, query: ApprovalQuery) -> ApprovalPage:
        self._asked("approvals", query)
        return ApprovalPage(approvals=[approval()])

    async def begin(self, request: BulkRequest) -> BulkView:
        self._asked("begin", request)
        job_id = None if request.dry_run else "0" * 32
        return job_view(job_id=job_id, action=request.action)

    async def job(self, job_id: str) -> BulkView:
        self._asked("job", job_id)
        return job_view(job_id=job_id, status="done", done=2, changed=1, refused=1, progress=100)

    async def jobs(self) -> Sequence[BulkView]:
        return [await self.job("0" * 32)]

    async def look(self) -> ReadyView:
        return ReadyView(ready=self.refusal is None, checks=[Check(check="store", ok=True)])

    async def list(self, query: Query) -> WorkflowPage:
        self._asked("list", query)
        return WorkflowPage(rows=[row_of(v) for v in self.views.values()])


def door_of(control: FakeControl, token: str) -> Door:
    others = _others(control)
    return Door(control, control, FakeLetters(control), token, readiness=control, **others)


def fake_connection(control: FakeControl) -> Connection:
    return Connection(control, control, FakeLetters(control), **_others(control))


def _others(control: FakeControl) -> dict[str, Any]:
    names = ("details", "catalogue", "letter_desk", "bulk")
    return {**dict.fromkeys(names, control), "live": FakeLive()}


@dataclass
class FakeLetters:
    """Implements IDeadLetters over the letters of a FakeControl."""

    control: FakeControl

    async def list(
        self, workflow_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        self.control.calls.append(("letters", (workflow_id, after, limit)))
        return list(self.control.letters.values())[:limit]

    async def read(self, letter_id: str) -> DeadLetter | None:
        return self.control.letters.get(letter_id)

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:
        del body, now_ms
        return self.control.letters.pop(letter_id, None) is not None

    async def discard(self, letter_id: str) -> bool:
        return self.control.letters.pop(letter_id, None) is not None


class FakeLive:
    """Streams that nobody follows."""


def row_of(view_: WorkflowView) -> WorkflowRow:
    names = set(WorkflowRow.model_fields) - {"waiting"}
    reasons = [waiting.kind for waiting in view_.waiting]
    return WorkflowRow(**view_.model_dump(include=names), waiting=reasons)


def approval(**changed: Any) -> ApprovalView:
    given: dict[str, Any] = {
        "workflow_id": ID, "name": "release", "version": "1.0.0", "stage": "gate", "visit": 1,
        "since_ms": NOW_MS, "approvers": ["ann", "group:ops"], "required": 2, "missing": 2,
        "shown": {"plan": 1}, "shown_key": "show/gate/1", "shown_hash": "ab" * 32,
    }  # fmt: skip
    return ApprovalView(**(given | changed))


def job_view(**changed: Any) -> BulkView:
    refusal = BulkRefusal(workflow_id="p00-9", kind="not-found", detail="No workflow 'p00-9'.")
    given: dict[str, Any] = {
        "job_id": "0" * 32, "action": "cancel", "status": "running", "total": 2,
        "sample": [ID], "refusals": [refusal], "created_at_ms": NOW_MS,
    }  # fmt: skip
    return BulkView(**(given | changed))


def letter(letter_id: str = "p01-7", body: bytes = b'{"broken"') -> DeadLetter:
    return DeadLetter(letter_id, ID, "not JSON", body, NOW_MS)
