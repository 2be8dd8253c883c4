"""The only wiring: which adapter stands behind each port.

Objects are resolved once per container, and each process (and each test) has a container of its
own. Adapters are imported when their scheme is asked for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from stagewright.adapters.system.clock import SystemClock
from stagewright.adapters.system.identifiers import SystemIdentifiers
from stagewright.adapters.system.processes import SystemProcesses
from stagewright.adapters.system.randomness import SystemRandom
from stagewright.application.catalog import Catalog
from stagewright.application.control import Control
from stagewright.application.desk import AgentDesk
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.application.readiness import Readiness
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.runner_presence import Identity
from stagewright.entrypoints.addresses import MEMORY, REDIS, SQLITE, scheme_of, unknown_scheme
from stagewright.entrypoints.logging import quiet_unless_configured
from stagewright.entrypoints.settings import Settings
from stagewright.ports.backend import Backend, BackendOptions, OpenBackend
from stagewright.ports.system import IIdentifiers


def backend_opener(url: str) -> OpenBackend:
    """Return what opens the backend of a URL; ConfigurationError for an unknown scheme."""
    scheme = scheme_of(url)
    if scheme == MEMORY:
        from stagewright.adapters.memory import open_backend as memory

        return memory
    if scheme == SQLITE:
        from stagewright.adapters.sqlite import open_backend as sqlite

        return sqlite
    if scheme in REDIS:
        from stagewright.adapters.redis import open_backend as redis

        return redis
    raise unknown_scheme(url)


def _backend_options(settings: Settings) -> BackendOptions:
    return BackendOptions(
        settings.namespace,
        settings.partitions,
        settings.feed_retention_s,
        settings.audit_retention_s,
    )


def _orchestrator_options(settings: Settings) -> OrchestratorOptions:
    return OrchestratorOptions(
        ownership_ttl_s=settings.ownership_s,
        retention_s=settings.retention_s,
        tombstone_s=settings.tombstone_s,
        retain_every_s=min(300.0, settings.retention_s),
    )


def _runner_options(settings: Settings) -> RunnerOptions:
    return RunnerOptions(lease_s=settings.lease_s, grace_s=settings.grace_s)


def _deciding(settings: Settings, catalog: Catalog) -> Catalog | None:
    return catalog if settings.hand_in == "steps" else None


def _identity(ids: IIdentifiers) -> Identity:
    host, pid = socket.gethostname(), os.getpid()
    return Identity(f"{host}:{pid}:{ids.short()[:6]}", host, pid)


class Container(containers.DeclarativeContainer):
    """Everything one process is made of. `backend` is given once it is open."""

    settings = providers.Dependency(instance_of=Settings)
    backend = providers.Dependency(instance_of=Backend)

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(SystemIdentifiers)
    random = providers.Singleton(SystemRandom)
    processes = providers.Singleton(SystemProcesses)

    opener = providers.Factory(backend_opener, settings.provided.url)
    backend_options = providers.Factory(_backend_options, settings)

    catalog = providers.Singleton(Catalog, backend.provided.registry, clock)
    readiness = providers.Singleton(Readiness, backend, clock)
    control = providers.Singleton(Control, backend, clock, ids, random, catalog)
    desk = providers.Singleton(AgentDesk, backend, catalog, clock, ids, random)
    orchestrator = providers.Factory(
        Orchestrator,
        backend,
        catalog,
        clock,
        ids,
        random,
        providers.Factory(_orchestrator_options, settings),
        processes=processes,
    )

    runner_options = providers.Factory(_runner_options, settings)
    runner = providers.Factory(
        AgentRunner,
        backend=backend,
        clock=clock,
        ids=ids,
        randomness=random,
        options=runner_options,
        identity=providers.Factory(_identity, ids),
        catalog=providers.Factory(_deciding, settings, catalog),
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Container]:
    """Return a fresh container whose backend is open until the block is left."""
    quiet_unless_configured()
    container = Container(settings=settings)
    open_backend = container.opener()
    async with open_backend(
        settings.url, container.backend_options(), container.clock()
    ) as backend:
        container.backend.override(backend)
        yield container
