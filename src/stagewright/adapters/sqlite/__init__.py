"""The backend in one SQLite file, owned by one process.

`sqlite:///relative.db` or `sqlite:////absolute.db`. The folder is made when it is not there.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from stagewright.adapters.sqlite.audit import SqliteAudit
from stagewright.adapters.sqlite.blob_store import SqliteBlobStore
from stagewright.adapters.sqlite.connection import Session, connect, load_statements
from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.dead_letters import SqliteDeadLetters
from stagewright.adapters.sqlite.feed import Feed
from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.kv_store import SqliteKVStore
from stagewright.adapters.sqlite.message_bus import SqliteMessageBus
from stagewright.adapters.sqlite.migrations import prepare
from stagewright.adapters.sqlite.owner import Owner
from stagewright.adapters.sqlite.reader import Reader
from stagewright.adapters.sqlite.registry import SqliteRegistry
from stagewright.adapters.sqlite.task_queue import SqliteTaskQueue
from stagewright.adapters.sqlite.workflow_store import SqliteWorkflowStore
from stagewright.adapters.sqlite.writer import Writer
from stagewright.domain.errors import ConfigurationError, StoreFailed
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.system import IClock

SCHEME = "sqlite:///"


@dataclass(frozen=True, slots=True)
class SqliteBackend(Backend):
    """A backend whose process owns the file, and may say where it listens."""

    owner: Owner

    def publish_door(self, address: str, token: str) -> None:
        """Write the address (`http://127.0.0.1:PORT`) and token that others are given.

        A process that opens the file from now on raises OwnedElsewhere with both.
        """
        self.owner.publish_door(address, token)


@asynccontextmanager
async def open_backend(
    url: str, options: BackendOptions, clock: IClock
) -> AsyncIterator[SqliteBackend]:
    """Own the file, create or upgrade what is in it, and yield its ports.

    Raise OwnedElsewhere while another process has it, ConfigurationError for a url, file or
    namespace that does not fit, StoreFailed when the file cannot be used.
    """
    path = path_of(url)
    async with AsyncExitStack() as stack:
        owner = _own(path, clock)
        stack.callback(owner.release)
        core = _core(stack, path, options, clock)
        yield SqliteBackend(
            url=url,
            partitions=core.namespace.partitions,
            bus=SqliteMessageBus(core),
            kv=SqliteKVStore(core),
            store=SqliteWorkflowStore(core),
            tasks=SqliteTaskQueue(core),
            dead_letters=SqliteDeadLetters(core),
            registry=SqliteRegistry(core),
            blobs=SqliteBlobStore(core),
            audit=SqliteAudit(core, options.audit_retention_s),
            owner=owner,
            sole=True,
        )


def path_of(url: str) -> Path:
    """Return the file that a url names; raise ConfigurationError when it names none."""
    name = url[len(SCHEME) :]
    if not url.lower().startswith(SCHEME) or name in {"", "/"} or name.startswith(":"):
        raise ConfigurationError(
            "url",
            f"{url!r} names no file.",
            remedy="Write sqlite:///PATH (four slashes: absolute).",
        )
    return Path(name).resolve()


def _own(path: Path, clock: IClock) -> Owner:
    """Take the lock before the first look into the file; what is made here is the user's only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(
            str(path.parent),
            f"the folder cannot be made ({error.strerror})",
            remedy="Name another one.",
        ) from error
    owner = Owner.acquire(path, clock.now_ms())
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        owner.release()
        raise StoreFailed(
            str(path),
            f"the file cannot be opened for writing ({error.strerror})",
            remedy="Make it writable, or name another one.",
        ) from error
    return owner


def _core(stack: AsyncExitStack, path: Path, options: BackendOptions, clock: IClock) -> Core:
    """Open the file and start the threads; the stack ends them and closes it."""
    statements = load_statements()

    def session(*, writable: bool) -> Session:
        opened = Session(connect(path, writable=writable), statements, str(path))
        stack.callback(opened.close)
        return opened

    writing = session(writable=True)
    namespace = prepare(writing, options)
    reading = session(writable=False)
    reader = Reader(reading, session(writable=False))
    writer = Writer(writing, namespace.partitions, clock)
    stack.push_async_callback(writer.close)
    stack.callback(reader.close)
    commits = [count for _, count in reading.rows("select_partitions")]
    return Core(
        path=str(path),
        version=apsw.sqlite_lib_version(),
        namespace=namespace,
        clock=clock,
        writer=writer,
        reader=reader,
        hints=Hints(commits, dict(reading.rows("select_last_positions"))),
        feed=Feed(writer, reader, namespace, options.feed_retention_s),
    )
