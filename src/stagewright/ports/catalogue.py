"""What can be run, by whom, and how it went: definitions and agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from stagewright.ports.views import AgentView, DefinitionView

SAMPLED = 500
"""So many finished workflows, the newest, statistics are taken from."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class GraphNode(_View):
    """A stage, or an end, to be drawn."""

    id: str
    label: str
    kind: Literal["agent", "parallel", "approval", "wait", "end"]
    group: str | None = None
    """The parallel stage around it."""
    branch: str | None = None
    agent: str | None = None
    max_visits: int | None = None
    description: str = ""


class GraphEdge(_View):
    """A route."""

    source: str
    target: str
    outcomes: list[str]
    back: bool = False
    """It leads to a stage that stands earlier: rework."""


class Graph(_View):
    """A definition as nodes and edges. `start` names the node a workflow begins at."""

    start: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]


class FormField(_View):
    """One field of a start form."""

    pointer: str
    """JSON pointer of the value in the input."""
    label: str
    widget: Literal["text", "textarea", "number", "integer", "checkbox", "select", "list", "json"]
    required: bool = False
    help: str = ""
    default: Any = None
    options: list[Any] = []
    """What can be chosen, for `select`."""
    property_schema: dict[str, Any] = {}


class StartForm(_View):
    """What a person fills in to start a workflow."""

    json_schema: dict[str, Any] | None
    """JSON Schema of the input; None accepts any JSON value."""
    fields: list[FormField]
    """Empty: one field of JSON text for the whole input."""
    sample: Any = None
    """A value that most likely fits."""


class DefinitionDetail(_View):
    """All that is known of one version of a definition."""

    name: str
    version: str
    hash: str
    description: str = ""
    body: dict[str, Any]
    """The definition's canonical JSON."""
    versions: list[DefinitionView]
    """All registered versions of this name, oldest first."""
    mermaid: str
    graph: Graph
    form: StartForm


class StageTimes(_View):
    """How long a stage took, from entry to end of its newest visit, in ms."""

    stage: str
    count: int
    p50_ms: int
    p95_ms: int


class Statistics(_View):
    """How the newest finished workflows of a definition went."""

    name: str
    sampled: int
    whole: bool
    """Whether these are all that finished and are still kept."""
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None
    """Completed among completed and failed, 0 to 1; None without any."""
    p50_ms: int | None = None
    """Duration of completed workflows, start to end."""
    p95_ms: int | None = None
    stages: list[StageTimes] = []


class ContractView(_View):
    """One version of an agent's contract."""

    version: str
    hash: str
    registered_at_ms: int
    retired: bool = False
    description: str = ""
    input: dict[str, Any] | None = None
    """JSON Schema; left out in lists."""
    output: dict[str, Any] | None = None
    outcomes: list[str] = []


class AgentDetail(_View):
    """One agent: its contracts, who serves it, and what waits for it."""

    name: str
    contracts: list[ContractView]
    """By version, the order of registration."""
    processes: list[AgentView]
    """Live processes that serve it."""
    live: int
    running: int
    """Tasks that these processes say they run."""
    queued: int
    oldest_at_ms: int | None = None
    """When the task that waits longest was queued."""
    lanes: list[str] = []
    unserved: list[str] = []
    """Lanes with tasks that no live process serves."""
    reason: str = ""
    """What is wrong, and what to do; empty when nothing is."""


class ICatalogue(Protocol):
    """Definitions and agents."""

    async def described(self, reference: str) -> DefinitionDetail:
        """Return a definition by `NAME`, `NAME@VERSION` or hash, drawn; NotFound."""
        ...

    async def statistics(self, name: str) -> Statistics:
        """Return how the newest finished workflows of a definition went; NotFound."""
        ...

    async def agents(self) -> Sequence[AgentDetail]:
        """Return every agent that has a contract, a live process or a task, by name."""
        ...

    async def agent(self, name: str) -> AgentDetail:
        """Return one agent with the schemas of its contracts; NotFound."""
        ...
