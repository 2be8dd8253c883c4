"""The backend that lives in one process: the reference for the contract suites.

`memory://` is private to whoever opens it. `memory://NAME` is shared by all who open it in this
process, and lives as long as one of them has it open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from stagewright.adapters.memory.audit import MemoryAudit
from stagewright.adapters.memory.blob_store import MemoryBlobStore
from stagewright.adapters.memory.dead_letters import MemoryDeadLetters
from stagewright.adapters.memory.kv_store import MemoryKVStore
from stagewright.adapters.memory.message_bus import MemoryMessageBus
from stagewright.adapters.memory.registry import MemoryRegistry
from stagewright.adapters.memory.state import DEFAULT_PARTITIONS, Namespace
from stagewright.adapters.memory.task_queue import MemoryTaskQueue
from stagewright.adapters.memory.workflow_store import MemoryWorkflowStore
from stagewright.domain.errors import ConfigurationError
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.system import IClock

SCHEME = "memory://"


@dataclass(slots=True)
class _Shared:
    state: Namespace
    users: int = 0


_shared: dict[tuple[str, str], _Shared] = {}
"""Open named backends of this process: names mean the same to all who open them."""


@asynccontextmanager
async def open_backend(url: str, options: BackendOptions, clock: IClock) -> AsyncIterator[Backend]:
    """Open `memory://` or `memory://NAME`; raise ConfigurationError for another url."""
    with _namespace(url, options) as state:
        yield Backend(
            url=url,
            partitions=len(state.partitions),
            bus=MemoryMessageBus(state, clock),
            kv=MemoryKVStore(state),
            store=MemoryWorkflowStore(state, clock),
            tasks=MemoryTaskQueue(state),
            dead_letters=MemoryDeadLetters(state),
            registry=MemoryRegistry(state),
            blobs=MemoryBlobStore(state),
            audit=MemoryAudit(state, options.audit_retention_s),
        )


@contextmanager
def _namespace(url: str, options: BackendOptions) -> Iterator[Namespace]:
    if not url.startswith(SCHEME):
        raise ConfigurationError("url", f"{url!r} is not memory:// or memory://NAME.")
    fresh = Namespace(options.partitions or DEFAULT_PARTITIONS, options.feed_retention_s)
    name = url.removeprefix(SCHEME)
    if not name:
        yield fresh
        return
    key = (name, options.namespace)
    shared = _shared.setdefault(key, _Shared(fresh))
    shared.users += 1
    try:
        yield shared.state
    finally:
        shared.users -= 1
        if shared.users == 0:
            del _shared[key]
