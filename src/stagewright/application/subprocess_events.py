"""The events that a subprocess agent writes, read within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from stagewright.application.agents import AgentError
from stagewright.application.context import AgentContext
from stagewright.domain.bounded_json import parse
from stagewright.domain.errors import ValidationFailed

MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_TOTAL_BYTES = 64 * 1024 * 1024


def opening(task: Any, ctx: AgentContext) -> bytes:
    """Return the line that the command reads: the task, and what `ctx` knows of it."""
    return orjson.dumps(
        {
            "workflow_id": ctx.workflow_id,
            "stage": ctx.stage,
            "visit": ctx.visit,
            "attempt": ctx.attempt,
            "idempotency_key": ctx.idempotency_key,
            "traceparent": ctx.traceparent,
            "input": task,
            "feedback": [one._asdict() for one in ctx.feedback],
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


class Conversation:
    """Follows standard output to its end; AgentError `protocol` for what it does not understand."""

    def __init__(self, ctx: AgentContext) -> None:
        self._ctx = ctx
        self._result: Mapping[str, Any] | None = None
        self._calls: dict[str, str] = {}
        self._handlers: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {
            "log": self._on_log,
            "delta": self._on_delta,
            "tool_call": self._on_tool_call,
            "tool_result": self._on_tool_result,
            "artifact": self._on_artifact,
            "result": self._on_result,
        }

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Handle events until the stream ends."""
        total = 0
        while line := await _read_line(stream):
            total += len(line)
            if total > MAX_TOTAL_BYTES:
                raise _protocol(f"wrote more than {MAX_TOTAL_BYTES} bytes")
            if line.strip():
                await self._handle(line)

    async def _handle(self, line: bytes) -> None:
        if self._result is not None:
            raise _protocol("wrote more after its result")
        try:
            event = parse(line.strip(), max_bytes=MAX_LINE_BYTES)
        except ValidationFailed as error:
            raise _protocol(f"wrote a line that is no event: {error}") from None
        kind = event.get("event") if isinstance(event, dict) else None
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise _protocol(f"wrote no known event; expected one of {', '.join(self._handlers)}")
        await handler(event)

    async def _on_log(self, event: Mapping[str, Any]) -> None:
        fields = event.get("fields")
        level = _text(event, "level", "info")
        extra = {"fields": fields} if fields is not None else {}
        await self._ctx.log(_text(event, "message"), level=level, **extra)

    async def _on_delta(self, event: Mapping[str, Any]) -> None:
        await self._ctx.delta(_text(event, "text"))

    async def _on_tool_call(self, event: Mapping[str, Any]) -> None:
        call = await self._ctx.tool_call(_text(event, "name"), event.get("arguments"))
        self._calls[_text(event, "call", "")] = call

    async def _on_tool_result(self, event: Mapping[str, Any]) -> None:
        call = self._calls.pop(_text(event, "call", ""), "")
        error = _text(event, "error", "") or None
        await self._ctx.tool_result(call, event.get("result"), error=error)

    async def _on_artifact(self, event: Mapping[str, Any]) -> None:
        try:
            await self._ctx.artifact(_text(event, "name"), _text(event, "path"))
        except OSError as error:
            raise _protocol(f"named an artifact that cannot be read: {error}") from None

    async def _on_result(self, event: Mapping[str, Any]) -> None:
        self._result = event

    def result(self) -> tuple[Any, str | None]:
        """Return output and label; AgentError when there is no result, or it is a failure."""
        if self._result is None:
            raise AgentError("no_result", "the command ended without a result event")
        usage = self._result.get("usage") or {}
        if not isinstance(usage, dict) or not all(_is_number(v) for v in usage.values()):
            raise _protocol("gave a usage that is no object of numbers")
        self._ctx.use(**usage)
        if self._result.get("status", "success") != "success":
            raise _reported(self._result.get("errors"))
        label = self._result.get("outcome")
        if label is not None and not isinstance(label, str):
            raise _protocol("gave an outcome that is no text")
        return self._result.get("output"), label


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        raise _protocol(f"wrote a line of more than {MAX_LINE_BYTES} bytes") from None


def _reported(errors: Any) -> AgentError:
    """The first error that the command reports stands for all."""
    first = errors[0] if isinstance(errors, list) and errors else {}
    if not isinstance(first, dict):
        first = {}
    failed = AgentError(str(first.get("type", "failure")), str(first.get("message", "it failed")))
    failed.final = first.get("final") is True
    return failed


def _text(event: Mapping[str, Any], field: str, default: str | None = None) -> str:
    value = event.get(field, default)
    if not isinstance(value, str):
        raise _protocol(f"wrote an event {event['event']!r} without the text {field!r}")
    return value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def _protocol(what: str) -> AgentError:
    return AgentError("protocol", f"the command {what}")
