"""The servers that peers stand on: each peer gets a fresh one of its own, ended with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Failed, Process
from stagewright.testing.servers import RedisServer, free_port

HOST = "127.0.0.1"
START_S = 60.0
POSTGRES_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, how peers find it (environment variables), its version."""

    pid: int
    environment: Mapping[str, str]
    version: str


class Missing(Exception):
    """Something of the system that a peer needs is not there; the message says what."""


@contextmanager
def redis_server(_: Path, __: Mapping[str, str]) -> Iterator[Server]:
    """Run Redis with an append-only file that is synced every second."""
    with RedisServer(appendonly="everysec") as server:
        found = {"REDIS_URL": server.url, "REDIS_PORT": str(server.port)}
        yield Server(server.pid or 0, found, f"Redis {server.info()['redis_version']}")


@contextmanager
def postgres_server(logs: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Run PostgreSQL with its defaults, which sync each commit, as a user without rights."""
    programs, user = _postgres_programs(), _unprivileged()
    with tempfile.TemporaryDirectory(prefix="stagewright-pg-") as made:
        folder, port = Path(made), free_port()
        if user:
            shutil.chown(folder, user)
        _initialise(programs / "initdb", folder / "data", user)
        settings = [f"-c{name}={value}" for name, value in POSTGRES_SETTINGS.items()]
        server = Process(
            [str(programs / "postgres"), "-D", str(folder / "data"), f"-p{port}", *settings],
            environment,
            logs / "postgres.log",
            folder=folder,
            user=user,
            end_with=signal.SIGINT,
        )
        try:
            _await(lambda: _accepts(programs, port), "PostgreSQL")
            url = f"postgresql://postgres@{HOST}:{port}/postgres"
            yield Server(server.pid, {"POSTGRES_URL": url}, _postgres_version(programs))
        finally:
            server.end()


def _postgres_programs() -> Path:
    places = [Path(found).parent for found in [shutil.which("postgres")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if all((place / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return place
    raise Missing("PostgreSQL is not installed (Debian: apt-get install postgresql)")


def _unprivileged() -> str | None:
    """Name somebody else to run as when this is root, which PostgreSQL refuses to serve."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _initialise(initdb: Path, data: Path, user: str | None) -> None:
    command = [str(initdb), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
    done = subprocess.run(
        command, cwd=data.parent, user=user, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"initdb: {done.stderr.strip().splitlines()[-1]}")


def _accepts(programs: Path, port: int) -> bool:
    asked = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    return subprocess.run(asked, check=False).returncode == 0


def _postgres_version(programs: Path) -> str:
    told = subprocess.check_output([str(programs / "postgres"), "--version"], text=True)
    return f"PostgreSQL {told.split()[2]}"


@contextmanager
def restate_server(logs: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Run one node of Restate with four partitions and its own durable log."""
    ingress, admin, node = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="stagewright-restate-") as folder:
        settings = {
            "RESTATE_INGRESS__BIND_ADDRESS": f"{HOST}:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"{HOST}:{admin}",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
            "RESTATE_LOG_FILTER": "error",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        program = environment["RESTATE_PROGRAM"]
        own = ["--base-dir", folder, "--node-name", "n1", "--auto-provision", "true", "--no-logo"]
        where = ["--bind-ip", HOST, "--bind-port", str(node)]
        log = logs / "restate.log"
        server = Process(
            [program, *own, *where], {**environment, **settings}, log, folder=Path(folder)
        )
        try:
            address = f"http://{HOST}:{admin}"
            _await(lambda: _answers(f"{address}/health"), "Restate")
            found = {"RESTATE_INGRESS": f"http://{HOST}:{ingress}", "RESTATE_ADMIN": address}
            version = subprocess.check_output([program, "--version"], text=True).split()[1]
            yield Server(server.pid, found, f"server {version}")
        finally:
            server.end()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as reply:  # noqa: S310 - our own server
            return bool(reply.status == 200)
    except OSError:
        return False


def _await(up: Callable[[], bool], name: str) -> None:
    give_up = time.monotonic() + START_S
    while not up():
        if time.monotonic() > give_up:
            raise Failed(f"{name} did not come up within {START_S:.0f} s")
        time.sleep(0.1)


Starter = Callable[[Path, Mapping[str, str]], AbstractContextManager[Server]]
SERVERS: Mapping[str, Starter] = {
    "redis": redis_server,
    "postgres": postgres_server,
    "restate": restate_server,
}
