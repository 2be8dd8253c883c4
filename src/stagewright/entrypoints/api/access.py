"""Who is asking, and what each route lets whom do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from stagewright.domain.errors import Forbidden

STATE_KEY = "principal"
EVERY_AGENT = "*"


class Scope(StrEnum):
    """What somebody may do. `admin` includes all others."""

    READ = "read"
    START = "start"
    OPERATE = "operate"
    APPROVE = "approve"
    AGENT = "agent"
    """Work as the agents that the principal names."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in."""

    name: str
    """As logs and audits name them."""
    scopes: frozenset[Scope]
    agents: frozenset[str] = frozenset()
    """Names of agents that they may work as; `*` for every one."""

    def may(self, scope: Scope) -> bool:
        """Return whether this scope was given to them."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_work_as(self, agent: str) -> bool:
        """Return whether they may claim and finish this agent's tasks."""
        return Scope.ADMIN in self.scopes or not self.agents.isdisjoint({agent, EVERY_AGENT})


OWNER = Principal("owner", frozenset({Scope.ADMIN}))
"""Whoever holds the token of the owner's lock file: a process of the same user."""


def needs(scope: Scope) -> Any:
    """Return the dependency by which a route declares its scope; raises Forbidden without it."""

    def check(request: Request) -> None:
        principal = principal_of(request)
        if not principal.may(scope):
            raise Forbidden(principal.name, scope.value)

    check.scope = scope  # type: ignore[attr-defined]
    return Depends(check)


def scope_of(dependency: Dependency | Callable[..., Any]) -> Scope | None:
    """Return the scope that a dependency made by `needs` checks."""
    call = dependency.dependency if isinstance(dependency, Dependency) else dependency
    return getattr(call, "scope", None)


def principal_of(request: Request) -> Principal:
    """Return who asks; the guard has put it there."""
    principal: Principal = request.scope["state"][STATE_KEY]
    return principal


ThePrincipal = Annotated[Principal, Depends(principal_of)]
