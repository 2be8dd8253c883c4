"""Runners of agents in processes that reach the store through the door of its owner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from stagewright.adapters.http.agent_desk import HttpAgentDesk, HttpAgentMeans
from stagewright.adapters.http.client import DoorClient, open_door
from stagewright.adapters.system.identifiers import SystemIdentifiers
from stagewright.application.remote_agents import remote_backend
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_roster import lanes_of
from stagewright.domain.errors import ConfigurationError, OutcomeUnknown, Unreachable
from stagewright.entrypoints.addresses import DOOR, SQLITE, scheme_of
from stagewright.entrypoints.container import Container
from stagewright.entrypoints.logging import quiet_unless_configured
from stagewright.entrypoints.open_doors import DoorRecord, door_of
from stagewright.entrypoints.settings import Settings
from stagewright.ports.backend import Backend


class FollowedDoor:
    """The door of whoever owns a file now: an owner that starts again has another address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._client: DoorClient | None = None
        self._record: DoorRecord | None = None

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """Read."""
        return await self._through(lambda client: client.get(path, parameters))

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Change."""
        return await self._through(lambda client: client.send(method, path, body))

    async def _through(self, call: Any) -> bytes:
        client = await self._open()
        try:
            answer: bytes = await call(client)
        except OutcomeUnknown:
            raise
        except (Unreachable, ConfigurationError) as error:
            if isinstance(error, ConfigurationError) and error.setting != "token":
                raise
            if self._found() == self._record:
                raise _away(self._settings.url, error) from error
            return await self._again(call)
        return answer

    async def _again(self, call: Any) -> bytes:
        answer: bytes = await call(await self._open())
        return answer

    async def _open(self) -> DoorClient:
        record = self._found()
        if self._client is None or record != self._record:
            # The one before is closed at the end: others may still wait for its answers.
            self._client = await self._stack.enter_async_context(open_door(*record))
            self._record = record
        return self._client

    def _found(self) -> DoorRecord:
        settings = self._settings
        if scheme_of(settings.url) != SQLITE:
            token = settings.token.get_secret_value() if settings.token is not None else ""
            return DoorRecord(settings.url, token)
        record = door_of(settings.url)
        if record is None:
            raise _away(settings.url)
        return record

    async def close(self) -> None:
        """Let go of the connection."""
        await self._stack.aclose()


def _away(url: str, error: Exception | None = None) -> Unreachable:
    reason = "no process owns it" if error is None else str(error)
    return Unreachable(url, reason, remedy="Start `stagewright serve` there.")


@asynccontextmanager
async def remote(settings: Settings, agents: Iterable[Any]) -> AsyncIterator[Backend]:
    """Return what a runner of these agents needs, through a door."""
    lanes = [lane for one in agents for lane in lanes_of(one.contract.name, one.contract.version)]
    door = FollowedDoor(settings)
    try:
        desk, means = HttpAgentDesk(door), HttpAgentMeans(door)
        yield remote_backend(settings.url, desk, means, SystemIdentifiers(), lanes)
    finally:
        await door.close()


@asynccontextmanager
async def remote_runner(settings: Settings, agents: Iterable[Any]) -> AsyncIterator[AgentRunner]:
    """Return a runner through a door, with heartbeats over a connection of their own."""
    quiet_unless_configured()
    served = tuple(agents)
    container = Container(settings=settings)
    async with remote(settings, served) as backend:
        container.backend.override(backend)
        runner: AgentRunner = container.runner(
            agents=dict.fromkeys(served, settings.concurrency),
            heartbeat_backend=lambda: remote(settings, served),
            catalog=None,
        )
        yield runner


def through_a_door(url: str) -> bool:
    """Whether agents reach this place through the door of another process."""
    return scheme_of(url) in {SQLITE, *DOOR}
