"""What an agent knows of its task, and how it tells what it does.

Everything told is bounded per task, so an agent that chatters costs no more than one that does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stagewright.application import notes
from stagewright.application.context_facts import Facts, Feedback
from stagewright.application.runner_deltas import DeltaBuffer, DeltaWriter
from stagewright.application.runner_notes import NoteWriter
from stagewright.domain.errors import LimitExceeded, ValidationFailed
from stagewright.domain.ids import TaskId
from stagewright.ports.blob_store import IBlobStore
from stagewright.ports.message_bus import Message
from stagewright.ports.system import IClock, IIdentifiers

T = TypeVar("T")

MAX_USAGES = 24
MAX_USAGE_NAME = 64


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that an agent leaves behind."""

    name: str
    hash: str
    """SHA-256 (hex); its key in the blob store."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one task may tell."""

    notes: int = 500
    note_bytes: int = 256 * 1024
    artifacts: int = 100
    artifact_bytes: int = 64 * 1024 * 1024
    """Size of one artifact."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Where tasks tell what they do; shared by all of a runner."""

    notes: NoteWriter
    deltas: DeltaWriter
    blobs: IBlobStore
    clock: IClock
    ids: IIdentifiers
    bounds: Bounds


class AgentContext(Facts):
    """The second parameter of an asynchronous agent.

    What is told after the agent has returned is dropped.
    """

    __slots__ = ("_artifacts", "_bytes", "_channels", "_deltas", "_number", "_open", "_streamed",
                 "_truncated", "_usage")  # fmt: skip

    def __init__(
        self,
        channels: Channels,
        task: TaskId,
        input_: Any,
        feedback: tuple[Feedback, ...] = (),
        traceparent: str | None = None,
    ) -> None:
        super().__init__(task, input_, feedback, traceparent)
        self._channels = channels
        self._open = True
        self._truncated = False
        self._number = self._bytes = self._artifacts = self._streamed = 0
        self._deltas: DeltaBuffer | None = None
        self._usage: dict[str, float] = {}

    @property
    def sync(self) -> SyncAgentContext:
        """The same for code in another thread, such as a callback of a library."""
        return SyncAgentContext(self, asyncio.get_running_loop())

    async def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """Keep a line in the workflow's notes; fields are JSON values."""
        facts = {"level": level, "message": notes.cut(message)}
        if fields:
            facts["fields"] = notes.bounded(fields)
        await self._tell("log", facts)

    async def tool_call(self, name: str, arguments: Any = None) -> str:
        """Note that a tool is called; returns the id that the result is told with."""
        call = self._channels.ids.short()
        facts = {"call": call, "name": notes.cut(name), "arguments": notes.bounded(arguments)}
        await self._tell("tool_call", facts)
        return call

    async def tool_result(self, call: str, result: Any = None, *, error: str | None = None) -> None:
        """Note what a tool answered, or that it failed."""
        facts = {"call": notes.cut(call), "result": notes.bounded(result)}
        if error is not None:
            facts["error"] = notes.cut(error)
        await self._tell("tool_result", facts)

    async def delta(self, text: str) -> None:
        """Stream text to whoever watches now; nothing of it is kept."""
        if self._open and text:
            if self._deltas is None:
                deltas = self._channels.deltas
                self._deltas = DeltaBuffer(deltas, self.workflow_id, self._encode_delta)
            await self._deltas.add(text)

    async def artifact(self, name: str, content: str | Path | bytes) -> Artifact:
        """Keep a file (its path or its bytes) with the workflow; LimitExceeded when too big.

        It is durable when this returns.
        """
        bounds = self._channels.bounds
        self._count_artifact(bounds.artifacts)
        limit = bounds.artifact_bytes
        if isinstance(content, bytes):
            _check_size(name, len(content), limit)
        else:
            content = await asyncio.to_thread(_read, name, Path(content), limit)
        hash_ = await self._channels.blobs.put(self.workflow_id, content)
        artifact = Artifact(name, hash_, len(content))
        await self._note(
            "artifact", {"name": notes.cut(name), "hash": hash_, "bytes": artifact.bytes}
        )
        return artifact

    def _count_artifact(self, limit: int) -> None:
        self._artifacts += 1
        if self._artifacts > limit:
            raise LimitExceeded(
                f"The number of artifacts of {self.task}",
                found=self._artifacts,
                limit=limit,
                remedy="Pack them into one archive.",
            )

    def use(self, **amounts: float) -> None:
        """Add to what the attempt has used: `input_tokens`, `output_tokens`, `cost_usd`, ..."""
        for name, amount in amounts.items():
            if type(amount) not in (int, float) or not 0 <= amount < float("inf"):
                raise ValidationFailed(f"usage {name} is {amount!r}; expected a number from 0")
            if len(name) > MAX_USAGE_NAME:
                raise ValidationFailed(
                    f"a usage has a name of {len(name)}, expected at most 64 characters"
                )
        if len(self._usage.keys() | amounts.keys()) > MAX_USAGES:
            raise ValidationFailed(f"usage has too many figures, at most {MAX_USAGES}")
        for name, amount in amounts.items():
            self._usage[name] = self._usage.get(name, 0) + amount

    @property
    def usage(self) -> Mapping[str, float]:
        """What has been used so far."""
        return self._usage

    async def close(self) -> None:
        """Make durable what was told; nothing more is taken."""
        self._open = False
        if self._deltas is not None:
            await self._deltas.flush()
        if self._number:
            await self._channels.notes.flush()

    def abandon(self) -> None:
        """Take nothing more; what was told is kept or not, as it comes."""
        self._open = False

    async def _tell(self, kind: notes.Kind, facts: dict[str, Any]) -> None:
        """Note something unless the task has told enough; say once that it has."""
        bounds = self._channels.bounds
        if self._truncated:
            return
        if self._number >= bounds.notes or self._bytes >= bounds.note_bytes:
            self._truncated = True
            kind, facts = "truncated", {"notes": self._number, "bytes": self._bytes}
        await self._note(kind, facts)

    async def _note(self, kind: notes.Kind, facts: dict[str, Any]) -> None:
        if not self._open:
            return
        self._number += 1
        at_ms = self._channels.clock.now_ms()
        body = notes.note(kind, self.task, at_ms, self._number, **facts)
        self._bytes += len(body)
        await self._channels.notes.add(Message(self.workflow_id, body))

    def _encode_delta(self, text: str) -> bytes:
        self._streamed += 1
        return notes.delta(self.task, self._streamed, text)


class SyncAgentContext(Facts):
    """The second parameter of a synchronous agent: AgentContext without `await`.

    Usable from any thread but the event loop's own; there it would wait for itself.
    """

    __slots__ = ("_context", "_loop")

    def __init__(self, context: AgentContext, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(context.task, context.input, context.feedback, context.traceparent)
        self._context, self._loop = context, loop

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: stop, it will be thrown away."""
        return self._context.cancelled

    def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """Keep a line in the workflow's notes; fields are JSON values."""
        self._wait(self._context.log(message, level=level, **fields))

    def tool_call(self, name: str, arguments: Any = None) -> str:
        """Note that a tool is called; returns the id that the result is told with."""
        return self._wait(self._context.tool_call(name, arguments))

    def tool_result(self, call: str, result: Any = None, *, error: str | None = None) -> None:
        """Note what a tool answered, or that it failed."""
        self._wait(self._context.tool_result(call, result, error=error))

    def delta(self, text: str) -> None:
        """Stream text to whoever watches now; nothing of it is kept."""
        self._wait(self._context.delta(text))

    def artifact(self, name: str, content: str | Path | bytes) -> Artifact:
        """Keep a file (its path or its bytes) with the workflow; LimitExceeded when too big."""
        return self._wait(self._context.artifact(name, content))

    def use(self, **amounts: float) -> None:
        """Add to what the attempt has used: `input_tokens`, `output_tokens`, `cost_usd`, ..."""
        self._context.use(**amounts)


def _read(name: str, path: Path, limit: int) -> bytes:
    _check_size(name, path.stat().st_size, limit)
    return path.read_bytes()


def _check_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise LimitExceeded(f"The size in bytes of artifact {name!r}", found=size, limit=limit)
