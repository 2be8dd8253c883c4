"""Processes of a deployment that can be killed and come back, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

STAGEWRIGHT = Path(sys.executable).parent / "stagewright"
READY_LIMIT_S = 60.0


class Member:
    """One process of the deployment: the command line, as a user would start it."""

    def __init__(
        self, name: str, arguments: Sequence[str], env: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self._command = [str(STAGEWRIGHT), *arguments, "--json"]
        self._env = {**os.environ, **env}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def start(self) -> Self:
        """Start; `wait_ready` tells when it serves."""
        self._log = (self._folder / f"{self.name}.log").open("ab")
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._env,
            cwd=self._folder,
        )
        return self

    def wait_ready(self) -> Self:
        """Return once the process has announced itself; raise with the end of its log otherwise."""
        if self._process is None or self._process.stdout is None:
            msg = f"{self.name} was not started"
            raise RuntimeError(msg)
        timer = threading.Timer(READY_LIMIT_S, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            tail = (self._folder / f"{self.name}.log").read_text()[-2_000:]
            msg = f"{self.name} did not get ready: {tail}"
            raise RuntimeError(msg)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._log is not None:
            self._log.close()
        self._process = None
