"""Agents written in anything: a command that speaks JSON lines.

It gets its task as one line on standard input and writes events on standard output, one JSON object
a line; the last is `{"event": "result", ...}`. What it writes on standard error is log. It runs in
a process group of its own, which is killed when the task is cancelled and when it is done; the
command itself also dies with the runner, even when that is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import sys
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagewright.application.agent_shapes import AnyShape, SchemaShape, Shape
from stagewright.application.agents import Agent, AgentError, Labelled, contract_of
from stagewright.application.context import AgentContext
from stagewright.application.subprocess_events import MAX_LINE_BYTES, Conversation, opening
from stagewright.domain.errors import ConfigurationError

TERM_GRACE_S = 2.0
"""Between asking a process group to end and ending it."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def subprocess_agent(
    name: str,
    *,
    version: str = "1.0.0",
    command: Sequence[str],
    input: Mapping[str, Any] | None = None,  # noqa: A002  # what it is called everywhere
    output: Mapping[str, Any] | None = None,
    outcomes: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
) -> Agent[[Any, AgentContext], Any]:
    """Return an agent that runs `command` for each task; ConfigurationError.

    `input` and `output` are JSON Schemas, any value without. `env` is added to the runner's own.
    """
    if not command or isinstance(command, str):
        raise ConfigurationError(
            f"agent {name}", "command must be a list of words.", remedy='Such as ["node", "a.js"].'
        )
    shapes = _shape(input, name), _shape(output, name)
    contract = contract_of(
        name, version=version, outcomes=outcomes, shapes=shapes, description=command[0]
    )
    words, environment = tuple(command), {**os.environ, **(env or {})}

    async def run(task: Any, ctx: AgentContext) -> Any:
        return await _run(words, environment, task, ctx)

    run.__name__ = run.__qualname__ = name
    return Agent(run, contract, shapes, takes_context=True)


def _shape(schema: Mapping[str, Any] | None, name: str) -> Shape:
    try:
        return AnyShape() if schema is None else SchemaShape(schema)
    except ConfigurationError as error:
        raise ConfigurationError(f"agent {name}", error.message) from None


class _Child(SubprocessStreamProtocol):
    """A running command and its streams.

    `asyncio.create_subprocess_exec` would do, but for its `wait`, which waits for the pipes too,
    and these may be held by a process that the command left behind.
    """

    pipes: asyncio.SubprocessTransport

    def __init__(self) -> None:
        super().__init__(limit=MAX_LINE_BYTES, loop=asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        """Called by the event loop."""
        super().process_exited()
        self.exited.set()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command's process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pipes.get_pid(), number)

    async def end(self) -> None:
        """End the whole group: politely, then for certain. Processes live in real time."""
        try:
            if not self.exited.is_set():
                self.signal(signal.SIGTERM)
                async with asyncio.timeout(TERM_GRACE_S):
                    await self.exited.wait()
        except TimeoutError:
            pass
        finally:
            self.signal(signal.SIGKILL)
            self.pipes.close()
        await self.exited.wait()


async def _run(
    command: tuple[str, ...], env: Mapping[str, str], task: Any, ctx: AgentContext
) -> Any:
    child = await _started(command, env)
    talk = Conversation(ctx)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_tell(child, opening(task, ctx)))
            group.create_task(_log(child, ctx))
            group.create_task(talk.follow(_reader(child.stdout)))
            await child.exited.wait()
            child.signal(signal.SIGKILL)  # whom it left behind would hold the pipes open
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        await child.end()
    code = child.pipes.get_returncode()
    if code != 0:
        raise AgentError("exit_code", f"{command[0]} ended with code {code}", code=code)
    result, label = talk.result()
    return result if label is None else Labelled(label, result)


async def _started(command: tuple[str, ...], env: Mapping[str, str]) -> _Child:
    try:
        pipes, child = await asyncio.get_running_loop().subprocess_exec(
            _Child,
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=env,
            start_new_session=True,
            preexec_fn=functools.partial(_die_with_parent, os.getpid()) if _libc else None,
        )
    except OSError as error:
        raise AgentError("not_started", f"{command[0]} could not be started: {error}") from None
    child.pipes = pipes
    return child


def _die_with_parent(parent: int) -> None:  # pragma: no cover - in the child nobody measures
    """Runs in the child between fork and exec, so it does no more than two system calls."""
    assert _libc is not None  # noqa: S101  # the caller looked
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before it was asked for
        os._exit(1)


def _reader(stream: asyncio.StreamReader | None) -> asyncio.StreamReader:
    assert stream is not None  # noqa: S101  # opened as a pipe
    return stream


async def _tell(child: _Child, line: bytes) -> None:
    """Write the task; a command may well end without having read all of it."""
    assert child.stdin is not None  # noqa: S101  # opened as a pipe
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(line)
        await child.stdin.drain()
        child.stdin.close()


async def _log(child: _Child, ctx: AgentContext) -> None:
    """Pass standard error on line by line; a line above the limit is cut, never collected."""
    stream = _reader(child.stderr)
    while chunk := await _line(stream):
        text = chunk.decode("utf-8", "replace").rstrip()
        if text:
            await ctx.log(text, level="info", stream="stderr")


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)
