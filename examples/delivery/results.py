"""What the agents hand on to one another."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from examples.delivery.request import DeliveryRequest

Verdict = Literal["ok", "rework"]
SearchApproach = Literal["like", "casefold"]


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Workspace(_Result):
    """Where a delivery works. Paths are absolute; `base_commit` is main when it began."""

    home: str
    repository: str
    branch: str
    base_commit: str


class Finding(_Result):
    """One thing a check did not like.

    `where` is `file:line` or `METHOD /path`; `symbol` the `module:function` concerned, if known;
    `code` the tool's own name for it (`F401`, `uncovered`, `search-missed`).
    """

    tool: str
    code: str
    where: str
    message: str
    symbol: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.code} {self.message}"


class InitializationResult(_Result):
    """The request can be delivered, and here is the place for it."""

    workspace: Workspace


class ScaffoldTask(_Result):
    """What is to be built, and where. Findings of earlier rounds come as feedback."""

    request: DeliveryRequest
    workspace: Workspace


class ScaffoldResult(_Result):
    """A commit with a runnable service. `answered` are the findings this round reacts to."""

    commit: str
    branch: str
    files: tuple[str, ...]
    search: SearchApproach
    answered: tuple[str, ...] = ()


class CommitTask(_Result):
    """One commit of a request's repository that the next agent works on."""

    request: DeliveryRequest
    workspace: Workspace
    commit: str


class ValidationResult(_Result):
    """The verdict of linter, compiler and tests on a commit. Percentages are 0-100."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    tests: int
    coverage_percent: float
    required_percent: int


class E2eResult(_Result):
    """The verdict of a running service, judged over HTTP against the request."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    checks: int


class IntegrationResult(_Result):
    """The commit of main that holds the work. `files` differ from main before the merge."""

    commit: str
    files: tuple[str, ...]


class DeploymentResult(_Result):
    """A release that answers at `address`. `previous` would serve after a rollback."""

    name: str
    release: int
    previous: int | None
    address: str
    path: str
    commit: str
