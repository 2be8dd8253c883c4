"""All ports of one backend, opened together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from stagewright.ports.audit import IAudit
from stagewright.ports.blob_store import IBlobStore
from stagewright.ports.dead_letters import IDeadLetters
from stagewright.ports.kv_store import IKVStore
from stagewright.ports.message_bus import IMessageBus
from stagewright.ports.registry import IRegistry
from stagewright.ports.system import IClock
from stagewright.ports.task_queue import ITaskQueue
from stagewright.ports.workflow_store import IWorkflowStore


@dataclass(frozen=True, slots=True)
class Backend:
    """What an adapter package offers. Whoever opened it closes it."""

    url: str
    """Without credentials: safe to show."""
    partitions: int
    """Number of partitions of the namespace, fixed when it was created."""
    bus: IMessageBus
    kv: IKVStore
    store: IWorkflowStore
    tasks: ITaskQueue
    dead_letters: IDeadLetters
    registry: IRegistry
    blobs: IBlobStore
    audit: IAudit
    sole: bool = field(default=False, kw_only=True)
    """Whoever opened it is the only process that can: all that an earlier one held is free."""


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What every adapter can be told."""

    namespace: str = "sw"
    partitions: int | None = None
    """Used when the namespace is created; None takes the adapter's default."""
    feed_retention_s: float = 7 * 86_400.0
    audit_retention_s: float = 90 * 86_400.0


OpenBackend = Callable[[str, BackendOptions, IClock], AbstractAsyncContextManager[Backend]]
"""`open_backend(url, options, clock)` of an adapter package."""
