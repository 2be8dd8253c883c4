from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, Unpack

from stagewright.entrypoints.client.commands import Decision
from stagewright.entrypoints.client.live import Choice
from stagewright.entrypoints.client.queries import Filters
from stagewright.ports.audit import AuditPage
from stagewright.ports.bulk import BulkView
from stagewright.ports.catalogue import AgentDetail, DefinitionDetail, Statistics
from stagewright.ports.control import CommandReply, Started
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.details import ApprovalPage, Count, StageDetail
from stagewright.ports.keys import KeyView, NewKey
from stagewright.ports.letter_desk import LetterGroups, LetterReport
from stagewright.ports.live import LiveMessage
from stagewright.ports.views import (
    DefinitionView,
    LogPage,
    ReplayReport,
    SystemView,
    Waiting,
    WorkflowPage,
    WorkflowView,
)

class Stagewright:
    def __init__(
        self, url: str | None = None, *, namespace: str | None = None, token: str | None = None
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
    def agent(
        self,
        name: str,
    ) -> AgentDetail: ...
    def agents(
        self,
    ) -> Sequence[AgentDetail]: ...
    def approvals(
        self,
        *,
        by: str | None = None,
        groups: Sequence[str] = (),
        definition: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ApprovalPage: ...
    def approve(
        self, workflow_id: str, *, by: str, **decision: Unpack[Decision]
    ) -> CommandReply: ...
    def audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AuditPage: ...
    def bulk(
        self,
        action: str,
        *,
        ids: Sequence[str] = (),
        filter: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        key: str | None = None,
        by: str = "anonymous",
        **said: Any,
    ) -> BulkView: ...
    def bulk_done(
        self,
        job_id: str,
        *,
        timeout_s: float | None = None,
    ) -> BulkView: ...
    def bulk_job(
        self,
        job_id: str,
    ) -> BulkView: ...
    def bulk_jobs(
        self,
    ) -> Sequence[BulkView]: ...
    def cancel(
        self,
        workflow_id: str,
        *,
        by: str = "anonymous",
        reason: str = "",
    ) -> CommandReply: ...
    def count(self, **filters: Unpack[Filters]) -> Count: ...
    def create_key(
        self,
        name: str,
        scopes: Sequence[str] = (),
        *,
        agents: Sequence[str] = (),
        groups: Sequence[str] = (),
        expires_s: float | None = None,
    ) -> NewKey: ...
    def dead_letter(
        self,
        letter_id: str,
    ) -> DeadLetter: ...
    def dead_letter_groups(
        self,
        workflow_id: str | None = None,
    ) -> LetterGroups: ...
    def dead_letters(
        self,
        workflow_id: str | None = None,
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[DeadLetter]: ...
    def deal_with(self, action: str, **chosen: Any) -> LetterReport: ...
    def definition(
        self,
        reference: str,
    ) -> dict[str, Any]: ...
    def definitions(
        self,
        name: str | None = None,
    ) -> Sequence[DefinitionView]: ...
    def described(
        self,
        reference: str,
    ) -> DefinitionDetail: ...
    def discard(
        self,
        letter_id: str,
        *,
        by: str = "anonymous",
        reason: str = "",
    ) -> None: ...
    def events(
        self, *, after: str | None = None, **choice: Unpack[Choice]
    ) -> Iterator[LiveMessage]: ...
    def explain(
        self,
        workflow_id: str,
    ) -> Sequence[Waiting]: ...
    def follow(
        self,
        workflow_id: str,
        *,
        timeout_s: float | None = None,
    ) -> Iterator[WorkflowView]: ...
    def follow_events(
        self,
        workflow_id: str,
        *,
        kinds: Collection[str] = (),
        notes: bool = True,
        deltas: bool = True,
        after: str | None = None,
    ) -> Iterator[LiveMessage]: ...
    def keys(
        self,
    ) -> Sequence[KeyView]: ...
    def list(self, **filters: Unpack[Filters]) -> WorkflowPage: ...
    def log(
        self,
        workflow_id: str,
        *,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1000,
    ) -> LogPage: ...
    def output(
        self,
        workflow_id: str,
        key: str,
    ) -> Any: ...
    def pause(
        self,
        workflow_id: str,
        *,
        by: str = "anonymous",
        reason: str = "",
    ) -> CommandReply: ...
    def redrive(
        self,
        letter_id: str,
        body: bytes | None = None,
    ) -> None: ...
    def register(
        self,
        definition: Mapping[str, Any],
        *,
        contracts: Sequence[Mapping[str, Any]] = (),
        development: bool = False,
        registered: bool = False,
    ) -> DefinitionView: ...
    def reject(
        self, workflow_id: str, *, by: str, **decision: Unpack[Decision]
    ) -> CommandReply: ...
    def replay(
        self,
        workflow_id: str,
        *,
        repair: bool = False,
    ) -> ReplayReport: ...
    def resume(
        self,
        workflow_id: str,
        *,
        by: str = "anonymous",
    ) -> CommandReply: ...
    def retry(
        self,
        workflow_id: str,
        *,
        stage: str | None = None,
        input: Any = None,
        by: str = "anonymous",
    ) -> CommandReply: ...
    def revoke_key(
        self,
        key_id: str,
    ) -> KeyView: ...
    def show(
        self,
        workflow_id: str,
    ) -> WorkflowView: ...
    def signal(
        self,
        workflow_id: str,
        name: str,
        data: Any = None,
        *,
        by: str = "anonymous",
    ) -> CommandReply: ...
    def stage(
        self,
        workflow_id: str,
        stage: str,
    ) -> StageDetail: ...
    def start(
        self,
        definition: str,
        input: Any = None,
        *,
        key: str | None = None,
        priority: int | None = None,
        labels: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
        name: str = "",
        description: str = "",
    ) -> Started: ...
    def statistics(
        self,
        name: str,
    ) -> Statistics: ...
    def system(
        self,
    ) -> SystemView: ...
    def wait(
        self,
        workflow_id: str,
        *,
        timeout_s: float | None = None,
    ) -> WorkflowView: ...
