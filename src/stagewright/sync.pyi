from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self, Unpack

from stagewright.entrypoints.client.commands import Decision
from stagewright.entrypoints.client.queries import Filters
from stagewright.ports.audit import AuditPage
from stagewright.ports.control import CommandReply, Started
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.keys import KeyView, NewKey
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
    def cancel(
        self,
        workflow_id: str,
        *,
        by: str = "anonymous",
        reason: str = "",
    ) -> CommandReply: ...
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
    def dead_letters(
        self,
        workflow_id: str | None = None,
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[DeadLetter]: ...
    def definition(
        self,
        reference: str,
    ) -> dict[str, Any]: ...
    def definitions(
        self,
        name: str | None = None,
    ) -> Sequence[DefinitionView]: ...
    def discard(
        self,
        letter_id: str,
    ) -> None: ...
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
    def start(
        self,
        definition: str,
        input: Any = None,
        *,
        key: str | None = None,
        priority: int | None = None,
        labels: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
    ) -> Started: ...
    def system(
        self,
    ) -> SystemView: ...
    def wait(
        self,
        workflow_id: str,
        *,
        timeout_s: float | None = None,
    ) -> WorkflowView: ...
