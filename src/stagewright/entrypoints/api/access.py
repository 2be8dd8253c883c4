"""Who is asking, and what each route lets whom do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends
from fastapi.params import Depends as Dependency
from fastapi.requests import HTTPConnection

from stagewright.application.actor import Actor
from stagewright.domain.errors import Forbidden, Unauthorized
from stagewright.ports.keys import KeyView

STATE_KEY = "principal"
EVERY_AGENT = "*"
DOOR = "api"


class Scope(StrEnum):
    """What somebody may do. `admin` includes all others."""

    READ = "read"
    START = "start"
    OPERATE = "operate"
    APPROVE = "approve"
    AGENT = "agent"
    """Work as the agents that the principal names."""
    ADMIN = "admin"
    KNOWN = "known"
    """Declared by routes, given to nobody: whoever was let in may come."""
    PUBLIC = "public"
    """Declared by routes, given to nobody: strangers may come too."""


GIVEN = frozenset(Scope) - {Scope.KNOWN, Scope.PUBLIC}
"""Scopes that a key can have."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in."""

    name: str
    """As logs and audits name them."""
    scopes: frozenset[Scope]
    agents: frozenset[str] = frozenset()
    """Names of agents that they may work as; `*` for every one."""
    groups: tuple[str, ...] = ()
    """Groups of approvers that they decide for."""
    key_id: str = ""

    def may(self, scope: Scope) -> bool:
        """Return whether this scope was given to them."""
        if scope not in GIVEN:
            return scope is Scope.PUBLIC or self is not NOBODY
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_work_as(self, agent: str) -> bool:
        """Return whether they may claim and finish this agent's tasks."""
        return Scope.ADMIN in self.scopes or not self.agents.isdisjoint({agent, EVERY_AGENT})

    def actor(self) -> Actor:
        """Return in whose name their changes are made."""
        speaks = Scope.ADMIN in self.scopes
        return Actor(self.name, self.key_id, DOOR, self.groups, speaks_for_others=speaks)


OWNER = Principal("owner", frozenset({Scope.ADMIN}))
"""Whoever holds the token of the owner's lock file: a process of the same user."""
DEVELOPER = Principal("developer", frozenset({Scope.ADMIN}))
"""Whoever sits at the machine where `stagewright dev` runs."""
NOBODY = Principal("nobody", frozenset())
"""A stranger; they see public routes only."""


def principal_from(view: KeyView) -> Principal:
    """Return whoever holds a key."""
    return Principal(
        view.name,
        frozenset(Scope(name) for name in view.scopes),
        frozenset(view.agents),
        view.groups,
        view.key_id,
    )


def needs(scope: Scope) -> Any:
    """Return the dependency by which a route declares its scope; raises Forbidden without it.

    For routes of HTTP and of WebSockets alike. Asynchronous, as all that routes depend on: what
    is not takes a detour through a thread, which costs more than all the rest of the guard.
    """

    async def check(connection: HTTPConnection) -> None:
        principal = principal_of(connection)
        if principal.may(scope):
            return
        if principal is NOBODY:
            raise Unauthorized
        raise Forbidden(principal.name, scope.value)

    check.scope = scope  # type: ignore[attr-defined]
    return Depends(check)


def scope_of(dependency: Dependency | Callable[..., Any]) -> Scope | None:
    """Return the scope that a dependency made by `needs` checks."""
    call = dependency.dependency if isinstance(dependency, Dependency) else dependency
    return getattr(call, "scope", None)


def principal_of(connection: HTTPConnection) -> Principal:
    """Return who asks; the guard has put it there."""
    principal: Principal = connection.scope["state"][STATE_KEY]
    return principal


async def _principal(connection: HTTPConnection) -> Principal:
    return principal_of(connection)


ThePrincipal = Annotated[Principal, Depends(_principal)]
