"""The command line in processes of its own, as a user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import orjson

from stagewright.sync import Stagewright

STAGEWRIGHT = Path(sys.executable).parent / "stagewright"
READY_LIMIT_S = 60.0
ANSWER_LIMIT_S = 60.0

T = TypeVar("T")


def until(look: Callable[[], T], limit_s: float = 20.0) -> T:
    """Return what `look` gives as soon as it is true; a process outside sends us no event."""
    end = time.monotonic() + limit_s
    while not (found := look()):
        if time.monotonic() > end:
            msg = f"not true within {limit_s:g} s; the last look gave {found!r}"
            raise AssertionError(msg)
        time.sleep(0.02)
    return found


def _clean() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STAGEWRIGHT")}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return orjson.loads(self.out)

    @property
    def problem(self) -> Any:
        """The error that `--json` puts on standard error."""
        return orjson.loads(self.err.splitlines()[-1])


class Member:
    """One process of the deployment: the command line, as a user would start it."""

    def __init__(
        self, name: str, arguments: Sequence[str], env: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.announced: Any = None
        """What it said when it got ready."""
        self.code: int | None = None
        """The exit code of its last life."""
        self._command = [str(STAGEWRIGHT), *arguments, "--json"]
        self._env = {**_clean(), **env}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote on standard error, over all its lives."""
        return (self._folder / f"{self.name}.log").read_text()

    @property
    def pid(self) -> int:
        """The process; 0 when it was not started."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

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
            msg = f"{self.name} did not get ready: {self.log[-2_000:]}"
            raise RuntimeError(msg)
        self.announced = orjson.loads(line)
        return self

    def ask_to_stop(self) -> None:
        """Send SIGTERM; `ended` then waits for the end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """Ask it to stop, and wait; returns its exit code."""
        self._end(signal.SIGTERM)
        return self.code

    def ended(self) -> int | None:
        """Wait until it ends by itself; returns its exit code."""
        self._end(None)
        return self.code

    def _end(self, how: signal.Signals | None) -> None:
        if self._process is None:
            return
        if how is not None and self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self.code = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._log is not None:
            self._log.close()
        self._process = None


class Place:
    """A folder that a user works in, and everything that was started there."""

    def __init__(self, folder: Path, url: str | None = None, **env: str) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder / '.stagewright' / 'state.db'}"
        """Where workflows live: as said, or where the default puts them in a new project."""
        named = {} if url is None else {"STAGEWRIGHT_URL": url}
        self.env = {"LOGNAME": "ann", "PYTHONPATH": "", **named, **env}
        self._members: list[Member] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file whose readers see all of it or nothing."""
        path = self.folder / name
        draft = path.with_suffix(".draft")
        draft.write_text(text)
        return draft.replace(path)

    def cli(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> Answer:
        """Run one command to its end, which must give the exit code expected."""
        done = subprocess.run(
            [str(STAGEWRIGHT), *arguments],
            input=stdin,
            capture_output=True,
            env={**_clean(), **self.env},
            cwd=self.folder,
            timeout=ANSWER_LIMIT_S,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert answer.code == code, f"{arguments} gave {answer}"
        return answer

    def start(self, name: str, *arguments: str, **env: str) -> Member:
        """Start a process that stays, and wait until it serves; it ends with the place."""
        member = Member(name, arguments, {**self.env, **env}, self.folder)
        self._members.append(member)
        return member.start().wait_ready()

    def ask(self, question: Callable[[Any], T]) -> T:
        """Ask through the library's client: the same answers as a command's, without a process."""
        with Stagewright(self.url) as client:
            return question(client)

    def close(self) -> None:
        """End whatever still runs."""
        for member in reversed(self._members):
            member.stop()
