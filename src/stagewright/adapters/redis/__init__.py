"""The backend on Redis, shared by many processes.

Everything one workflow touches lies in its partition, whose keys share a hash tag. Each atomic step
is one call of a Function of our own library, with all its keys declared, so that a cluster needs no
other code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from stagewright.adapters.redis.alarms import Alarms
from stagewright.adapters.redis.audit import RedisAudit
from stagewright.adapters.redis.blob_store import RedisBlobStore
from stagewright.adapters.redis.dead_letters import RedisDeadLetters
from stagewright.adapters.redis.due import first_seen
from stagewright.adapters.redis.feed import Feed
from stagewright.adapters.redis.functions import Functions
from stagewright.adapters.redis.health import Health
from stagewright.adapters.redis.inbox import Inbox
from stagewright.adapters.redis.keys import Keys, checked_namespace
from stagewright.adapters.redis.kv_store import RedisKVStore
from stagewright.adapters.redis.listeners import Listeners
from stagewright.adapters.redis.message_bus import RedisMessageBus
from stagewright.adapters.redis.namespace import created
from stagewright.adapters.redis.opening import server_of
from stagewright.adapters.redis.readers import Readers
from stagewright.adapters.redis.registry import RedisRegistry
from stagewright.adapters.redis.server import Server
from stagewright.adapters.redis.shared import Shared
from stagewright.adapters.redis.task_queue import RedisTaskQueue
from stagewright.adapters.redis.workflow_store import RedisWorkflowStore
from stagewright.domain.errors import StoreFull
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.system import IClock


@asynccontextmanager
async def open_backend(url: str, options: BackendOptions, clock: IClock) -> AsyncIterator[Backend]:
    """Open `redis://`, `rediss://` or `unix://`; raise Unreachable or ConfigurationError.

    A node of a cluster leads to all of it; `redis+cluster://host:port,host:port/` names several, of
    which one must answer. The options of redis-py's URLs work; `socket_timeout` bounds each call
    (5 s).
    """
    namespace = checked_namespace(options.namespace)
    async with AsyncExitStack() as stack:
        opened = _Opened(await server_of(url), stack)
        with suppress(StoreFull):  # made good by the first call that finds it missing
            await opened.server.load()
        partitions = await created(opened.server, namespace, options.partitions)
        keys = Keys(namespace, partitions)
        with suppress(StoreFull):  # as above
            await first_seen(opened.functions, keys)
        yield _backend(opened, keys, options, clock)


class _Opened:
    """Connections of one backend, closed with the stack."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self.server, self.functions, self.stack = server, Functions(server), stack
        self.listeners = Listeners(server)
        self.inboxes, self.feeds = Readers(server), Readers(server)
        for closing in (server, self.listeners, self.inboxes, self.feeds):
            stack.push_async_callback(closing.close)


def _backend(opened: _Opened, keys: Keys, options: BackendOptions, clock: IClock) -> Backend:
    health = Health(opened.server, clock)
    retention_ms = round(options.feed_retention_s * 1000)
    shared = Shared(opened.functions, keys, clock, health, retention_ms)
    shared.lanes.hears = lambda number: opened.listeners.hears(keys.partitions[number].wake)
    alarms = Alarms(shared, opened.listeners)
    opened.stack.push_async_callback(alarms.close)
    inbox, feed = Inbox(shared, opened.inboxes, alarms), Feed(shared, opened.feeds)
    return Backend(
        url=opened.server.public_url,
        partitions=len(keys.partitions),
        bus=RedisMessageBus(shared, inbox, feed, opened.listeners),
        kv=RedisKVStore(shared),
        store=RedisWorkflowStore(shared),
        tasks=RedisTaskQueue(shared),
        dead_letters=RedisDeadLetters(shared),
        registry=RedisRegistry(shared),
        blobs=RedisBlobStore(shared),
        audit=RedisAudit(shared, options.audit_retention_s),
    )
