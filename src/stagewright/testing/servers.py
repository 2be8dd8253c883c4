"""Real servers, started by the tests that need them and ended with them."""

from __future__ import annotations

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from stagewright.domain.errors import Unreachable

AppendOnly = Literal["always", "everysec", "no"]

_HOST = "127.0.0.1"
_POLL_S = 0.01


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """A redis-server of our own on a free port, with a directory of its own.

    `start` raises Unreachable, with the end of the server's log, when it does not come up. What
    answers on the port is proved to be the process that was started. `kill` and `restart` keep
    port and data, so clients meet the same server again; `stop` ends it and removes the data.
    """

    def __init__(
        self, *, appendonly: AppendOnly = "no", options: tuple[str, ...] = (), start_s: float = 20.0
    ) -> None:
        self.appendonly = appendonly
        self.port = 0
        self.run_id = ""
        """Drawn anew by every start of the server."""
        self._options = options
        self._start_s = start_s
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens: `redis://127.0.0.1:PORT/0`."""
        return f"redis://{_HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id while it runs, None otherwise."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    @property
    def directory(self) -> Path:
        """Where its data and its log lie."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="stagewright-redis-"))
        return self._directory

    def start(self) -> None:
        """Start and wait until it answers; another port is tried when the first was just taken."""
        if self.pid is not None:
            return
        atexit.register(self.stop)
        fixed = self.port != 0
        for last_try in (False, False, True):
            self.port = self.port if fixed else free_port()
            self._spawn()
            try:
                self._await_answer()
            except Unreachable:
                self.kill()
                if last_try:
                    raise
            else:
                return

    def kill(self) -> None:
        """End it at once (SIGKILL); nothing more is written. The data stay."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port and data, after a kill or in place of the running one."""
        self._end(signal.SIGTERM)
        self.start()

    def stop(self) -> None:
        """End it and remove its directory. Does nothing the second time."""
        self._end(signal.SIGKILL)
        atexit.unregister(self.stop)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def info(self) -> dict[str, str]:
        """Return what the server says of itself; OSError when it does not."""
        with socket.create_connection((_HOST, self.port), timeout=2.0) as connection:
            connection.sendall(b"INFO server persistence\r\n")
            with connection.makefile("rb") as reply:
                head = reply.readline()
                if not head.startswith(b"$"):
                    raise ConnectionError(head.decode(errors="replace").strip())
                text = reply.read(int(head[1:])).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def _spawn(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise Unreachable("redis-server", "not on the PATH", remedy="Install Redis 7 or newer.")
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # found on the PATH, own arguments
                [program, *self._arguments()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _arguments(self) -> list[str]:
        append = self.appendonly != "no"
        settings = {
            "bind": _HOST,
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes" if append else "no",
            "appendfsync": self.appendonly if append else "everysec",
            "shutdown-timeout": "0",
        }
        if "--cluster-enabled" in self._options:
            settings["cluster-port"] = str(free_port())  # the default, port + 10000, may not exist
        pairs = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [*pairs, *self._options]

    def _await_answer(self) -> None:
        give_up_s = time.monotonic() + self._start_s
        while self.pid is not None and time.monotonic() < give_up_s:
            try:
                info = self.info()
            except (OSError, ValueError):  # not yet listening, or loading its data
                time.sleep(_POLL_S)
                continue
            if int(info["process_id"]) != self.pid:
                break
            if info["loading"] == "0":
                self.run_id = info["run_id"]
                return
            time.sleep(_POLL_S)  # it answers questions about itself while it loads its data
        raise Unreachable("redis-server", self._why(), remedy="Mend what its log names.")

    def _why(self) -> str:
        log = (self.directory / "log").read_text(errors="replace").splitlines()
        return " / ".join(log[-3:]) or "it wrote no log"

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(timeout=self._start_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
