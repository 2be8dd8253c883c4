"""Contracts: what an agent takes and gives, as JSON Schemas with a semantic version."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from stagewright.domain.definition import ContractRef, Name, Outcome, Semver
from stagewright.domain.fit import provably_unfit
from stagewright.domain.schemas import accepts_null, schema_problem

__all__ = ["Contract", "accepts_null", "provably_unfit", "satisfies", "version_key"]


class Contract(BaseModel):
    """The agreed boundary of one agent. An empty schema allows any JSON value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Semver = "1.0.0"
    description: str = ""
    input: dict[str, Any] = Field(default_factory=dict)
    """JSON Schema 2020-12."""
    output: dict[str, Any] = Field(default_factory=dict)
    """JSON Schema 2020-12."""
    outcomes: tuple[Outcome, ...] = ()
    """Labels the agent may declare besides `ok`; they may be routed on."""

    @field_validator("input", "output")
    @classmethod
    def _is_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        """Also refuses references to files and servers, which validating would follow."""
        problem = schema_problem(schema)
        if problem is not None:
            raise ValueError(f"it is not a JSON Schema: {problem}")
        return schema

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of everything but the description."""
        body = self.model_dump(mode="json", exclude={"description"})
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def ref(self) -> ContractRef:
        """What a registered definition keeps of the contract."""
        return ContractRef(agent=self.name, version=self.version, hash=self.hash)


def satisfies(requirement: str, version: str) -> bool:
    """Whether `version` fits `agent@^MAJOR[.MINOR]`: the same major, at least that minor.

    This holds for major 0 too, since lanes are read upwards within a major.
    """
    wanted_major, _, wanted_minor = requirement.partition("@^")[2].partition(".")
    major, minor = version_key(version)[:2]
    least = (int(wanted_minor or 0), 0, True)
    return major == int(wanted_major) and (minor, *version_key(version)[2:4]) >= least


def version_key(version: str) -> tuple[int, int, int, bool, tuple[tuple[int, int, str], ...]]:
    """Sort key of a semantic version; pre-releases come first, build metadata does not count."""
    core, _, before = version.partition("+")[0].partition("-")
    major, minor, patch = map(int, core.split("."))
    parts = before.split(".") if before else []
    return major, minor, patch, not before, tuple(map(_identifier, parts))


def _identifier(part: str) -> tuple[int, int, str]:
    """Numbers sort as numbers and before words."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
