"""One process of a benchmark: started, waited for, asked, and ended with all its descendants."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.machine import Seen, family, look

READY = "READY"
GRACE_S = 5.0
TAIL_CHARACTERS = 300


class Failed(Exception):
    """A process of a peer did not do what was asked; the message ends with its last words."""


class Process:
    """A child in a session of its own. What it prints goes into `log`; answers are also kept.

    An answer is a line that says READY or that is a JSON object. `user` starts it as somebody
    else, which only root can.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        folder: Path,
        user: str | None = None,
        end_with: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._log = log.open("ab")
        self._answers: queue.Queue[str] = queue.Queue()
        self._end_with = end_with
        self.name = log.stem
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # some report through it, and the log wants both
            env=dict(environment),
            cwd=folder,
            user=user,
            start_new_session=True,
        )
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def await_ready(self, times: int, limit_s: float) -> None:
        """Wait until it said READY so many times; raises Failed."""
        give_up = time.monotonic() + limit_s
        for _ in range(times):
            if self._next(give_up, f"was not ready within {limit_s:.0f} s") != READY:
                raise Failed(self._last_words("answered before it was ready"))

    def ask(self, order: str, limit_s: float) -> Mapping[str, Any]:
        """Send one order and return its answer; raises Failed."""
        if self._child.stdin is None or self._child.poll() is not None:
            raise Failed(self._last_words("ended too early"))
        self._child.stdin.write(order.encode() + b"\n")
        self._child.stdin.flush()
        late = f"did not answer '{order}' within {limit_s:.0f} s"
        answer: Mapping[str, Any] = json.loads(self._next(time.monotonic() + limit_s, late))
        return answer

    def end(self) -> None:
        """End it and whatever it started, kindly first."""
        members = family([self.pid])
        with suppress(ProcessLookupError):
            self._child.send_signal(self._end_with)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(GRACE_S)
        for member in members:
            _kill_if_same(member)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
        self._reader.join(GRACE_S)
        for pipe in (self._child.stdin, self._child.stdout, self._log):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _next(self, give_up: float, late: str) -> str:
        while True:
            left = give_up - time.monotonic()
            try:
                return self._answers.get(timeout=max(0.0, min(0.2, left)))
            except queue.Empty:
                if self._child.poll() is not None and self._answers.empty():
                    raise Failed(self._last_words("ended too early")) from None
                if left <= 0:
                    raise Failed(self._last_words(late)) from None

    def _read(self) -> None:
        for raw in self._child.stdout or ():
            line = raw.decode(errors="replace").strip()
            if line and not line.replace(READY, ""):  # children that share a pipe may share a line
                for _ in range(line.count(READY)):
                    self._answers.put(READY)
            elif line.startswith("{"):
                self._answers.put(line)
            else:
                self._log.write(raw)
                self._log.flush()

    def _last_words(self, what: str) -> str:
        text = Path(self._log.name).read_text("utf-8", errors="replace").strip()
        words = " / ".join(text[-TAIL_CHARACTERS:].splitlines()[-2:])
        return f"{self.name} {what}: {words or 'it said nothing'}"


def _kill_if_same(member: Seen) -> None:
    now = look(member.pid)
    if now is not None and now.born == member.born:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(member.pid, signal.SIGKILL)
