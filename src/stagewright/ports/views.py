"""What people and programs see of workflows: plain models that travel as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from stagewright.ports.health import Concern


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Waiting(_View):
    """One reason why a workflow does not move by itself, and who can change that."""

    stage: str | None
    kind: str
    """leased, queued, suspended, done, retry, timer, signal, approval, held, paused, group."""
    owner: str
    """A runner, people, the clock, or the orchestrator."""
    reason: str
    """A sentence for people."""
    since_ms: int
    until_ms: int | None = None
    remedy: str = ""
    """What to do, as a command where there is one."""
    detail: dict[str, Any] = {}


class StageView(_View):
    """A stage's newest visit."""

    name: str
    kind: str
    status: Literal["pending", "active", "ended"]
    outcome: str | None = None
    visit: int = 0
    max_visits: int | None = None
    attempt: int = 0
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    output_key: str | None = None
    errors: list[dict[str, Any]] = []


class UsageView(_View):
    """What agents reported that they used, summed over all attempts."""

    total: dict[str, float] = {}
    stages: dict[str, dict[str, float]] = {}
    """By stage; stages that reported nothing are left out."""
    complete: bool = True
    """False: the log is so long that only its newest part was summed."""


class WorkflowView(_View):
    """One workflow."""

    workflow_id: str
    name: str
    version: str
    definition: str
    status: str
    current_stage: str | None
    active_stages: list[str]
    progress: int
    """Percent."""
    priority: int
    key: str | None = None
    labels: dict[str, str] = {}
    created_at_ms: int
    updated_at_ms: int
    finished_at_ms: int | None = None
    deadline_at_ms: int | None = None
    continues: str | None = None
    step: int
    stages: list[StageView]
    stage_outputs: dict[str, Any] = {}
    """By stage: output of the newest visit; big ones as `{"$blob": ...}` references."""
    input: Any = None
    output: Any = None
    reason: str | None = None
    """Why it failed or was cancelled."""
    failed_stage: str | None = None
    errors: list[dict[str, Any]] = []
    waiting: list[Waiting] = []
    title: str = ""
    """What people call this one, as said at its start."""
    description: str = ""
    usage: UsageView = UsageView()


class WorkflowRow(_View):
    """One row of a list."""

    workflow_id: str
    name: str
    version: str
    status: str
    current_stage: str | None
    progress: int
    priority: int
    key: str | None = None
    labels: dict[str, str] = {}
    waiting: list[str] = []
    created_at_ms: int
    updated_at_ms: int
    title: str = ""
    finished_at_ms: int | None = None


class WorkflowPage(_View):
    """A page of rows; `cursor` continues, None at the end."""

    rows: list[WorkflowRow]
    cursor: str | None = None


class LogPage(_View):
    """Steps or notes of one workflow, as stored; `after` continues, None at the end."""

    records: list[dict[str, Any]]
    after: int | None = None


class DefinitionView(_View):
    """One registered version of a definition."""

    name: str
    version: str
    hash: str
    registered_at_ms: int
    retired: bool = False
    contracts_checked: bool = False


class AgentView(_View):
    """One live process that serves agents."""

    holder: str
    host: str
    pid: int
    started_at_ms: int
    told_at_ms: int | None = None
    """When it last gave a sign of life, by its own clock."""
    next_s: float = 5.0
    """How soon it should do so again."""
    agents: dict[str, Any]
    """Per agent: version, lanes, limit, running, and its distributions."""


class LaneView(_View):
    """What waits in one lane."""

    lane: str
    priority: int
    queued: int
    oldest_at_ms: int | None = None
    live_agents: int = 0


class PortView(_View):
    """Health of one port."""

    port: str
    ok: bool
    durability: str
    detail: str = ""
    refusing: str = ""
    """Why changes are refused although reading works."""


class OrchestratorView(_View):
    """One orchestrator that gives signs of life, or did so lately."""

    holder: str
    told_at_ms: int | None = None
    """When it last did, by its own clock."""
    next_s: float = 4.0
    """How soon it should do so again."""


class SilentView(_View):
    """A process that gave signs of life lately and does not any more."""

    kind: str
    holder: str
    told_at_ms: int


class SystemView(_View):
    """Health of the whole."""

    level: Literal["full", "limited", "minimal", "offline"]
    reason: str
    backend: str
    durability: str
    partitions: int
    owners: dict[int, str]
    """Partition to the orchestrator that owns it."""
    ports: list[PortView]
    counts: dict[str, int]
    agents: list[AgentView]
    lanes: list[LaneView]
    losses: list[str] = []
    """Losses that were noticed: counters that went back."""
    concerns: list[Concern] = []
    """What is wrong with the store's settings, version, clock or space, with what to do."""
    orchestrators: list[OrchestratorView] = []
    silent: list[SilentView] = []
    """Those who fell silent within ten minutes without saying goodbye, or whose clock is behind."""
    at_ms: int = 0
    """When this was found, by the clock of the process that answers."""


class ReplayReport(_View):
    """What a workflow's log says, against its snapshot."""

    workflow_id: str
    steps: int
    equal: bool
    difference: str = ""
    repaired: bool = False
    missing: list[str] = []
    """Tasks and timers that should have been in flight and were not."""
