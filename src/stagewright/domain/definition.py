"""Definitions: immutable, versioned, content-hashed descriptions of stages and routes.

A definition says *what may happen*. `stagewright.domain.checks` says whether it makes sense and
`stagewright.domain.plan` compiles it into the tables the kernel steps on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Outcome = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Semver = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")]
AgentRequirement = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}@\^\d+(\.\d+)?$")]
Seconds = Annotated[float, Field(gt=0, le=10 * 366 * 86_400)]


def _number_of_priority(value: object) -> object:
    """`P1` is another way to write 1."""
    return int(value[1]) if isinstance(value, str) and re.fullmatch(r"P[0-3]", value) else value


Priority = Annotated[int, BeforeValidator(_number_of_priority), Field(ge=0, le=3)]
"""0 (most urgent) to 3, also written P0 to P3."""

OK, FAILED, INVALID, TIMEOUT, EXHAUSTED = "ok", "failed", "invalid", "timeout", "exhausted"
APPROVED, REJECTED = "approved", "rejected"
FAILURES = frozenset({FAILED, INVALID, TIMEOUT, EXHAUSTED, REJECTED})
"""Outcomes that follow the stage's failure policy when the stage has no route for them."""

COMPLETE, FAIL = "complete", "fail"
TARGETS = frozenset({COMPLETE, FAIL})
"""Reserved route targets: they end the region instead of entering a stage."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Retry(_Model):
    """How often and how soon an attempt that failed or timed out is dispatched again.

    The delay before attempt n+1 is drawn uniformly between 0 and the lesser of `max_delay_s` and
    `delay_s * factor**(n-1)`.
    """

    attempts: int = Field(default=3, ge=1, le=100)
    delay_s: float = Field(default=1.0, ge=0, le=86_400)
    factor: float = Field(default=2.0, ge=1, le=10)
    max_delay_s: float = Field(default=300.0, ge=0, le=86_400)
    not_on: tuple[str, ...] = ()
    """Error types (the `type` of a result's error) that are final at once."""


class Rule(_Model):
    """A CEL condition over `output`, `input`, `visit`; the first that holds gives the outcome."""

    when: str = Field(min_length=1, max_length=1_000)
    outcome: Outcome


class _Stage(_Model):
    name: Name
    on: dict[Outcome, Name] = Field(default_factory=dict)
    """Routes: outcome to stage name, `complete` or `fail`."""
    on_failure: Literal["fail", "skip", "hold"] = "fail"
    max_visits: int | None = Field(default=None, ge=1, le=10_000)
    description: str = Field(default="", max_length=2_000)


class AgentStage(_Stage):
    """Work that an agent does in a process of its own."""

    kind: Literal["agent"] = "agent"
    agent: AgentRequirement
    with_: Any = Field(default=None, alias="with")
    """Input template: literals and `{from: ...}` references; None means the default wiring."""
    rules: tuple[Rule, ...] = ()
    retry: Retry = Retry()
    repairs: int = Field(default=2, ge=0, le=20)
    timeout_s: Seconds = 300.0

    @field_validator("agent", mode="before")
    @classmethod
    def _major_by_default(cls, value: object) -> object:
        return f"{value}@^1" if isinstance(value, str) and "@" not in value else value


class ParallelStage(_Stage):
    """Named branches that run side by side until the join holds or cannot hold any more."""

    kind: Literal["parallel"]
    branches: dict[Name, tuple[Stage, ...]] = Field(min_length=1, max_length=10_000)
    join: Annotated[str, Field(pattern=r"^(all|any|quorum:[1-9]\d{0,4})$")] = "all"
    rules: tuple[Rule, ...] = ()

    @property
    def needed(self) -> int:
        """Branches that must succeed for the join to hold."""
        if self.join == "all":
            return len(self.branches)
        return 1 if self.join == "any" else int(self.join.partition(":")[2])


class ApprovalStage(_Stage):
    """A decision by people; ends as `approved`, `rejected` or `timeout`.

    An approver is a person's name, `group:NAME` for any member of a group, or `*` for anyone.
    """

    kind: Literal["approval"]
    approvers: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(min_length=1)
    required: int = Field(default=1, ge=1, le=100)
    show: Any = None
    form: dict[str, Any] | None = None
    timeout_s: Seconds | None = None


class WaitStage(_Stage):
    """A pause: for a duration, until an instant, or for a named signal."""

    kind: Literal["wait"]
    for_s: Seconds | None = None
    until: Any = None
    """RFC 3339 instant or a `{from: ...}` reference to one."""
    signal: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")] | None = None
    timeout_s: Seconds | None = None


def _kind_of(value: Any) -> str:
    kind = (
        value.get("kind", "agent") if isinstance(value, dict) else getattr(value, "kind", "agent")
    )
    return str(kind)


Stage = Annotated[
    Annotated[AgentStage, Tag("agent")]
    | Annotated[ParallelStage, Tag("parallel")]
    | Annotated[ApprovalStage, Tag("approval")]
    | Annotated[WaitStage, Tag("wait")],
    Discriminator(_kind_of),
]


class ContractRef(_Model):
    """The contract of an agent as resolved when the definition was registered."""

    agent: Name
    version: Semver
    hash: str

    @property
    def level(self) -> str:
        """`major.minor`: the last part of the names of the lanes that carry such tasks."""
        major, minor, _ = self.version.split(".", 2)
        return f"{major}.{minor}"


class Definition(_Model):
    """One version of a workflow. Equal content gives an equal `content_hash`."""

    name: Name
    version: Semver = "1.0.0"
    description: str = Field(default="", max_length=10_000)
    input: dict[str, Any] | None = None
    """JSON Schema of the workflow's input; None accepts any JSON value."""
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=5_000)
    deadline_s: Seconds | None = None
    labels: dict[Annotated[str, Field(max_length=63)], Annotated[str, Field(max_length=256)]] = (
        Field(default_factory=dict, max_length=32)
    )
    priority: Priority = 2
    contracts: dict[Name, ContractRef] = Field(default_factory=dict)
    """By agent requirement's name; filled by registration, empty while contracts are unchecked."""

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON form without defaults."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """Canonical JSON: sorted keys, defaults left out, aliases as written in YAML."""
        body = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

    def every_stage(self) -> Iterator[Stage]:
        """All stages, groups before the stages of their branches, in the order written."""
        yield from _flatten(self.stages)


def _flatten(stages: tuple[Stage, ...]) -> Iterator[Stage]:
    for stage in stages:
        yield stage
        if isinstance(stage, ParallelStage):
            for branch in stage.branches.values():
                yield from _flatten(branch)


ParallelStage.model_rebuild()
Definition.model_rebuild()
