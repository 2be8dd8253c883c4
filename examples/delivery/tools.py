"""Python tools (ruff, coverage, pytest) as supervised subprocesses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from examples.delivery.context import Context
from examples.delivery.errors import DeliveryCancelled, ToolFailed
from examples.delivery.services import GUARD, lifeline

TOOL_LIMIT_S = 120.0
RUFF_ALONE = ("--isolated", "--no-cache", "--no-respect-gitignore")
"""Options for ruff to look at the folder it runs in, whatever lies around that folder."""
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")


@dataclass(frozen=True)
class Completed:
    """How a tool ended; both streams as text."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def tail(self) -> str:
        """The end of what the tool said."""
        return (self.stdout + self.stderr).strip()[-800:]


async def run_tool(ctx: Context, cwd: Path, module: str, *arguments: str) -> Completed:
    """Run `python -m module arguments` in `cwd` and report it as a tool call of the agent.

    The tool dies with this process, and with a cancellation. `ToolFailed` after 120 s.
    """
    if ctx.cancelled:
        raise DeliveryCancelled(f"the workflow was cancelled before {module}")
    call = await ctx.tool_call(module, {"arguments": list(arguments)})
    started = time.monotonic()
    try:
        with anyio.fail_after(TOOL_LIMIT_S):
            done = await _run(cwd, [module, *arguments])
    except TimeoutError as error:
        raise ToolFailed(module, f"no end after {TOOL_LIMIT_S:g} s") from error
    seconds = round(time.monotonic() - started, 2)
    await ctx.tool_result(call, {"returncode": done.returncode, "duration_s": seconds})
    return done


async def _run(cwd: Path, command: Sequence[str]) -> Completed:
    with lifeline() as pipe:
        done = await anyio.run_process(
            [sys.executable, str(GUARD), "watch", str(pipe), *command],
            cwd=cwd,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            check=False,
            pass_fds=(pipe,),
            start_new_session=True,
        )
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return Completed(done.returncode, out, err)


def _environment() -> dict[str, str]:
    """Only what a tool needs: no settings of a coverage run or test run around us."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
