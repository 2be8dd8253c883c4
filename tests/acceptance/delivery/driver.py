"""Runs the agents one after the other, as the workflow does, without an engine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from examples.delivery import services
from examples.delivery.deployment import deploy
from examples.delivery.e2e import try_out
from examples.delivery.initialization import initialize
from examples.delivery.integration import integrate
from examples.delivery.repository import Repository
from examples.delivery.request import DeliveryRequest, read_request
from examples.delivery.results import (
    CommitTask,
    DeploymentResult,
    E2eResult,
    IntegrationResult,
    ScaffoldResult,
    ScaffoldTask,
    ValidationResult,
    Workspace,
)
from examples.delivery.scaffolding import scaffold
from examples.delivery.validation import validate

REQUESTS = Path(__file__).parents[3] / "examples" / "delivery" / "requests"
MAX_VISITS = 3


def shipped(name: str) -> DeliveryRequest:
    return read_request(REQUESTS / f"{name}.json")


@dataclass(frozen=True)
class Round:
    """A reviewer's result, as an agent gets it as feedback."""

    stage: str
    visit: int
    output: dict[str, Any]


@dataclass
class RecordingContext:
    """What an agent is given; keeps all that the agent reports."""

    workflow_id: str
    stage: str
    visit: int = 1
    attempt: int = 1
    feedback: Sequence[Round] = ()
    cancelled: bool = False
    logged: list[str] = field(default_factory=list)
    tools: list[tuple[str, Any]] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)

    @property
    def idempotency_key(self) -> str:
        return f"{self.workflow_id}/{self.stage}/{self.visit}"

    async def log(self, message: str) -> None:
        self.logged.append(message)

    async def tool_call(self, name: str, arguments: Any = None) -> str:
        self.tools.append((name, arguments))
        return f"call-{len(self.tools)}"

    async def tool_result(self, call: str, result: Any = None) -> None:
        self.tools.append((call, result))

    async def artifact(self, name: str, content: bytes) -> None:
        self.artifacts[name] = content


@dataclass
class Delivery:
    """One request on its way. `rounds` are the results that sent it back to scaffolding."""

    request: DeliveryRequest
    workflow_id: str = field(default_factory=lambda: f"p07-{uuid4().hex}")
    visits: dict[str, int] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    workspace: Workspace | None = None

    def context(self, stage: str, **given: Any) -> RecordingContext:
        """A context for the next visit of `stage`."""
        visit = self.visits[stage] = self.visits.get(stage, 0) + 1
        return RecordingContext(self.workflow_id, stage, visit, feedback=list(self.rounds), **given)

    @property
    def place(self) -> Workspace:
        assert self.workspace is not None, "initialize first"
        return self.workspace

    @property
    def repository(self) -> Repository:
        return Repository(Path(self.place.repository))

    def task(self, commit: str) -> CommitTask:
        return CommitTask(request=self.request, workspace=self.place, commit=commit)

    async def initialize(self) -> Workspace:
        result = await initialize(self.request, self.context("initialization"))
        self.workspace = result.workspace
        return result.workspace

    async def scaffold(self, **given: Any) -> ScaffoldResult:
        task = ScaffoldTask(request=self.request, workspace=self.place)
        return await scaffold(task, self.context("scaffolding", **given))

    async def validate(self, commit: str) -> ValidationResult:
        return await validate(self.task(commit), self.context("validation"))

    async def try_out(self, commit: str) -> E2eResult:
        return await try_out(self.task(commit), self.context("e2e"))

    async def integrate(self, commit: str, **given: Any) -> IntegrationResult:
        return await integrate(self.task(commit), self.context("integration", **given))

    async def deploy(self, commit: str, **given: Any) -> DeploymentResult:
        return await deploy(self.task(commit), self.context("deployment", **given))

    async def build(self) -> ScaffoldResult:
        """Initialize, then scaffold until both reviewers are content."""
        await self.initialize()
        while True:
            built = await self.scaffold()
            reviewed: ValidationResult | E2eResult = await self.validate(built.commit)
            if reviewed.verdict == "ok":
                reviewed = await self.try_out(built.commit)
            if reviewed.verdict == "ok":
                return built
            assert self.visits["scaffolding"] < MAX_VISITS, reviewed.findings
            self.note(reviewed)

    async def deliver(self) -> DeploymentResult:
        built = await self.build()
        merged = await self.integrate(built.commit)
        return await self.deploy(merged.commit)

    def note(self, result: BaseModel) -> None:
        """Keep `result` as feedback for the next round, in the form the engine gives it."""
        stage = "validation" if isinstance(result, ValidationResult) else "e2e"
        output = result.model_dump(mode="json")
        self.rounds.append(Round(stage, self.visits[stage], output))

    def plant(self, commit: str, folder: Path, changes: Mapping[str, tuple[str, str]]) -> str:
        """A commit on top of `commit` in which each file has one text replaced by another."""
        code = self.repository.add_worktree(folder, commit)
        for name, (old, new) in changes.items():
            text = (code / name).read_text()
            assert old in text, f"{name} has no {old!r}"
            (code / name).write_text(text.replace(old, new))
        planted = self.repository.commit_all(code, "A defect")
        shutil.rmtree(folder)
        self.repository.prune()
        return planted


@dataclass(frozen=True)
class Built:
    """A service that passed its reviews."""

    delivery: Delivery
    commit: str

    def with_defect(self, folder: Path, **changes: tuple[str, str]) -> str:
        """A commit with a defect; keywords are files of the package, without `.py`."""
        package = self.delivery.request.package
        files = {f"{package}/{name}.py": change for name, change in changes.items()}
        return self.delivery.plant(self.commit, folder, files)


def stop_services(home: Path) -> None:
    for folder in services.folders_with_services(home):
        services.stop(folder)
