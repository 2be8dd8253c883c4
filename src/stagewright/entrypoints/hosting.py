"""What a process that does the work is made of: door, orchestrator, agents."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import structlog

from stagewright.application.agents import Agent
from stagewright.application.bulk import Bulk
from stagewright.application.loading import Loaded, load
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_heartbeat_thread import HeartbeatBackend
from stagewright.domain.errors import ConfigurationError, OwnedElsewhere
from stagewright.entrypoints.addresses import MEMORY, SQLITE, scheme_of
from stagewright.entrypoints.collector import relax_collector
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.settings import Settings
from stagewright.entrypoints.user import user_of_process
from stagewright.ports.control import ICommands, RegisterRequest

log = structlog.get_logger(__name__)

LOCAL = frozenset({SQLITE, MEMORY})
"""Schemes whose backend lives in one process: all others come through its door."""


PASSING_OWNER_S = 10.0
"""How long to wait for an owner without a door: a single command, or one that is closing."""
_POLL_S = 0.05


@asynccontextmanager
async def owning(settings: Settings) -> AsyncIterator[Container]:
    """Like `opened`, for processes that stay: one that owns the file for a moment is waited for."""
    async with contextlib.AsyncExitStack() as stack:
        yield await _opened_in_turn(stack, settings)


async def _opened_in_turn(stack: contextlib.AsyncExitStack, settings: Settings) -> Container:
    end = time.monotonic() + PASSING_OWNER_S
    while True:
        try:
            return await stack.enter_async_context(opened(settings))
        except OwnedElsewhere as owned:
            if owned.address or time.monotonic() > end:
                raise
        await anyio.sleep(_POLL_S)


@dataclasses.dataclass(frozen=True, slots=True)
class OpenDoor:
    """Where the control interface listens, and what opens it."""

    address: str
    token: str
    keys: bool = True
    """Whether an API key is in force; without one only this user comes in."""


@asynccontextmanager
async def open_the_door(
    container: Container, port: int, *, development: bool = False
) -> AsyncIterator[OpenDoor]:
    """Serve the control interface, and tell other processes of this user where.

    On loopback, unless the settings name another address; that needs a key first. With
    `development` whoever sits at this machine needs none.
    """
    from stagewright.entrypoints.admission import rules_of
    from stagewright.entrypoints.api.app import create_app
    from stagewright.entrypoints.api.door import door_over
    from stagewright.entrypoints.api.server import address_of, allow_many_readers, bind, serving
    from stagewright.entrypoints.web.app import SIGN_IN, mount

    control, settings = container.control(), container.settings()
    access = control.access
    keys = await access.keys.any_in_force()
    rules = rules_of(settings, keys=keys, development=development, sign_in=SIGN_IN)
    token = settings.token.get_secret_value() if settings.token else secrets.token_urlsafe(32)
    door = door_over(container, token, rules)
    listener = bind(port, settings.host)
    allow_many_readers()
    async with container.desk().running(), serving(create_app(door, mount), listener):
        publish = getattr(container.backend(), "publish_door", None)
        if publish is not None:
            publish(address_of(listener), token)
        try:
            yield OpenDoor(address_of(listener), token, keys=keys)
        finally:
            container.desk().close()
            control.live.stop()  # streams would be waited for otherwise


@asynccontextmanager
async def working(bulk: Bulk) -> AsyncIterator[None]:
    """Work on bulk jobs until the block is left; what is not done then, others go on with."""
    duty = asyncio.create_task(bulk.run())
    try:
        yield
    finally:
        duty.cancel()
        await asyncio.gather(duty, return_exceptions=True)


@asynccontextmanager
async def door_if_needed(
    container: Container, *, development: bool = False
) -> AsyncIterator[OpenDoor | None]:
    """Open the door where others cannot come in otherwise, or where a port was asked for."""
    settings = container.settings()
    if scheme_of(settings.url) not in LOCAL and not settings.port:
        yield None
        return
    async with open_the_door(container, settings.port, development=development) as door:
        yield door


@asynccontextmanager
async def orchestrating(container: Container) -> AsyncIterator[None]:
    """Run an orchestrator until the block is left; its failure ends the block."""
    orchestrator = container.orchestrator()
    with alone():
        async with anyio.create_task_group() as group, working(container.control().bulk):
            group.start_soon(orchestrator.run)
            await orchestrator.ready.wait()
            container.readiness().watch(orchestrator)
            try:
                yield
            finally:
                container.readiness().forget(orchestrator)
                orchestrator.stop()


@asynccontextmanager
async def running(runner: AgentRunner) -> AsyncIterator[None]:
    """Run a runner until the block is left, then let its tasks finish; a failure ends the block."""
    with alone():
        async with anyio.create_task_group() as group:
            group.start_soon(runner.run)
            await runner.ready.wait()
            try:
                yield
            finally:
                runner.stop()


@asynccontextmanager
async def serving_targets(container: Container, targets: Sequence[str]) -> AsyncIterator[list[str]]:
    """Register the definitions of targets and run their agents; yields the agents' names."""
    if not targets:
        yield []
        return
    loaded = load(targets)
    commands = commands_of_user(container)
    for request in registrations(loaded):
        await commands.register(request)
    names = [f"{agent.contract.name} {agent.contract.version}" for agent in loaded.agents]
    if not loaded.agents:
        yield names
        return
    async with running(runner_of(container, loaded.agents)):
        yield names


def commands_of_user(container: Container) -> ICommands:
    """Return what changes things in the name of whoever runs this process, and writes it down."""
    return container.control().acting(user_of_process()).commands


def registrations(loaded: Loaded, *, development: bool = False) -> list[RegisterRequest]:
    """Return what registers the definitions that were loaded, with the contracts beside them."""
    contracts = [contract.model_dump(mode="json") for contract in loaded.contracts.values()]
    return [
        RegisterRequest(
            definition=one.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            contracts=contracts,
            development=development,
        )
        for one in loaded.definitions
    ]


@contextmanager
def alone() -> Iterator[None]:
    """Raise the one error of a group as itself: callers look for StagewrightError, not groups."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None


def runner_of(container: Container, agents: Iterable[Any], **options: Any) -> AgentRunner:
    """Return a runner of agents, each with the limit of the settings; `options` replace its own.

    On a server its heartbeats have a connection and a thread of their own.
    """
    settings = container.settings()
    limits: dict[Agent[..., Any], int] = dict.fromkeys(agents, settings.concurrency)
    local = scheme_of(settings.url) in LOCAL
    runner: AgentRunner = container.runner(
        agents=limits,
        options=dataclasses.replace(container.runner_options(), **options),
        heartbeat_backend=None if local else _second_connection(container),
    )
    return runner


def _second_connection(container: Container) -> HeartbeatBackend:
    open_backend, options = container.opener(), container.backend_options()
    return lambda: open_backend(container.settings().url, options, container.clock())


async def stopped_by_signal() -> str:
    """Return the name of the first SIGTERM or SIGINT; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[str] = loop.create_future()

    def tell(number: signal.Signals) -> None:
        if not told.done():
            told.set_result(number.name)
            for one in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(one)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number)
    try:
        name = await told
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    log.info("stopping", signal=name)
    return name


def run_process(main: Callable[[], Any]) -> None:
    """Run a process's main coroutine on the fastest loop there is."""
    relax_collector()
    anyio.run(main, backend_options={"use_uvloop": True})


def refuse_memory(url: str, command: str) -> None:
    """Raise ConfigurationError: memory lives in one process, so a server of it serves nobody."""
    if scheme_of(url) == MEMORY:
        raise ConfigurationError(
            "url",
            f"memory:// ends with its process, so `{command}` refuses it.",
            remedy="Use sqlite:///PATH or redis://..., or `stagewright dev` to try something.",
        )
