"""Keys: what lets somebody in, and what it lets them do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

ScopeName = Literal["read", "start", "operate", "approve", "agent", "admin"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$")]
AgentName = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,99})$")]

_MOST = 64
_TEN_YEARS_S = 3_660 * 86_400.0


class KeyRequest(BaseModel):
    """Make a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """Whose it is, as logs, audits and approvals name them."""
    scopes: tuple[ScopeName, ...] = Field(default=(), max_length=_MOST)
    agents: tuple[AgentName, ...] = Field(default=(), max_length=_MOST)
    """Agents it works as, `*` for every one. Brings the scope `agent`."""
    groups: tuple[Name, ...] = Field(default=(), max_length=_MOST)
    """Groups of approvers it decides for."""
    expires_s: Annotated[float, Field(gt=0, le=_TEN_YEARS_S)] | None = None
    """Life time from now on; None: until it is revoked."""

    @model_validator(mode="before")
    @classmethod
    def _agents_among_scopes(cls, given: Any) -> Any:
        """Take `agent:NAME` among the scopes for an agent, and give agents their scope."""
        if not isinstance(given, dict):
            return given
        scopes, agents = given.get("scopes", ()), given.get("agents", ())
        if not isinstance(scopes, list | tuple) or not isinstance(agents, list | tuple):
            return given
        named = [s[6:] for s in scopes if isinstance(s, str) and s.startswith("agent:")]
        rest = [s for s in scopes if not (isinstance(s, str) and s.startswith("agent:"))]
        agents = [*agents, *named]
        if agents and "agent" not in rest:
            rest.append("agent")
        return {**given, "scopes": tuple(rest), "agents": tuple(agents)}

    @model_validator(mode="after")
    def _may_something(self) -> Self:
        if not self.scopes:
            raise ValueError("a key needs at least one scope, or an agent to work as")
        if "agent" in self.scopes and not self.agents:
            raise ValueError("the scope `agent` needs the names of agents, or `*` for every one")
        return self


class KeyView(BaseModel):
    """A key, without what opens the door."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    name: str
    scopes: tuple[ScopeName, ...]
    agents: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    created_at_ms: int
    expires_at_ms: int | None = None
    revoked: bool = False

    def expired(self, now_ms: int) -> bool:
        """Whether its time is over."""
        return self.expires_at_ms is not None and self.expires_at_ms <= now_ms


class NewKey(KeyView):
    """A key that was just made, with its secret: shown now and never again."""

    secret: str


class IKeys(Protocol):
    """Keys of a namespace. All its servers know them."""

    async def create(self, request: KeyRequest) -> NewKey:
        """Make a key; durable before this returns. LimitExceeded when there are too many."""
        ...

    async def list(self) -> Sequence[KeyView]:
        """Return all keys, by name, then oldest first; expired and revoked ones too."""
        ...

    async def revoke(self, key_id: str) -> KeyView:
        """Take a key out of service, for good; NotFound.

        Servers that do not answer this call learn of it within a few seconds.
        """
        ...
