"""Measures one peer: rounds of throughput, then latency when idle, each with its accounts."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from subprocess import SubprocessError
from typing import Any, Self

from benchmarks.install import BUILD, Place, place_of
from benchmarks.machine import PeakMemory, wait_until_quiet, watched
from benchmarks.peers import Peer
from benchmarks.processes import Failed, Process
from benchmarks.servers import SERVERS, Missing, Server
from stagewright.domain.errors import StagewrightError
from stagewright.entrypoints.bench.measure import median, percentile
from stagewright.testing.servers import free_port

STAGES = 6
CONTENDED_CORES = 0.2
REPEATS = 2
WARM_UP = 50
READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, and how patiently."""

    runs: int = 3
    scale: float = 1.0
    quiet_s: float = 30.0
    """How long to wait for a quiet machine before each peer."""
    limit_s: float = 240.0
    """How long one order may take."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one peer. `reason` says why there are no figures."""

    name: str
    title: str
    settings: str
    durability: str
    ours: str | None = None
    version: str = ""
    workflows: int = 0
    stages_per_s: float = float("nan")
    p50_ms: float = float("nan")
    p99_ms: float = float("nan")
    cpu_us: float = float("nan")
    memory_mib: float = float("nan")
    foreign_cores: float = 0.0
    """The most that strangers used during any round that counts."""
    reason: str = ""

    @property
    def contended(self) -> bool:
        """Whether strangers used so much of the machine that the figures are doubtful."""
        return self.foreign_cores > CONTENDED_CORES


@dataclass(frozen=True, slots=True)
class Round:
    """The answer to one order, with the processor time it took and that of strangers."""

    answer: Mapping[str, Any]
    cpu_s: float
    foreign_cores: float


def measure(peer: Peer, options: Options) -> Row:
    """Install, run and end one peer; what goes wrong becomes the row's reason."""
    row = Row(peer.name, peer.title, peer.settings, peer.durability, peer.ours)
    try:
        place = place_of(peer)
        row = replace(row, version=place.version)
        with Running(peer, place, options) as running:
            return running.fill(row)
    except (Missing, Failed, OSError, ValueError, SubprocessError, StagewrightError) as error:
        return replace(row, reason=str(error))


class Running:
    """A peer with its server, workers and submitter, all ready; ended on leaving."""

    def __init__(self, peer: Peer, place: Place, options: Options) -> None:
        self._peer, self._place, self._options = peer, place, options
        self._stack = ExitStack()
        self._server: Server | None = None
        self._workers: list[Process] = []
        self._logs = BUILD / "logs"
        self._workflows = max(1, round(peer.workflows * options.scale))
        self._idle = max(2, round(peer.idle * min(1.0, options.scale)))

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for old in self._logs.glob(f"{self._peer.name}*.log"):
            old.unlink()
        with self._stack as stack:
            environment = self._environment(stack)
            for number, command in enumerate(self._peer.workers, 1):
                worker = self._start(command, environment | {"ROLE": "worker"}, f"worker-{number}")
                self._workers.append(worker)
                worker.await_ready(self._peer.ready, READY_S)
            self._submitter = self._start(self._peer.submitter, environment, "submitter")
            self._submitter.await_ready(1, READY_S)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fill(self, row: Row) -> Row:
        """Measure; return the row with its figures."""
        wait_until_quiet(self._options.quiet_s, CONTENDED_CORES)
        with PeakMemory(self._pids()) as memory:
            if not self._peer.ours:  # ours warms up by itself, each time
                self._ask(f"batch {min(WARM_UP, self._workflows)}")
                self._ask("idle 2")
            rounds = [self._settled(f"batch {self._workflows}") for _ in range(self._options.runs)]
            idle = self._settled(f"idle {self._idle}")
        return replace(
            row,
            workflows=self._workflows,
            stages_per_s=self._stages() / median([each.answer["seconds"] for each in rounds]),
            p50_ms=_percentile(idle.answer, 50),
            p99_ms=_percentile(idle.answer, 99),
            cpu_us=median([self._cpu_us(each) for each in rounds]),
            memory_mib=memory.bytes / 2**20,
            foreign_cores=max(each.foreign_cores for each in [*rounds, idle]),
        )

    def _environment(self, stack: ExitStack) -> dict[str, str]:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stagewright-peer-"))
        environment = {**self._place.environment, "FOLDER": folder}
        environment |= {"WORKER_PORT": str(free_port())}
        if self._peer.server:
            starter = SERVERS[self._peer.server]
            self._server = stack.enter_context(starter(self._logs, environment))
            environment = {**environment, **self._server.environment}
        return {**environment, **self._peer.environment}

    def _start(self, command: str, environment: Mapping[str, str], role: str) -> Process:
        words = shlex.split(command.format(**self._place.words))
        log = self._logs / f"{self._peer.name}-{role}.log"
        process = Process(words, environment, log, folder=self._place.folder)
        self._stack.callback(process.end)
        return process

    def _pids(self) -> list[int]:
        server = [self._server.pid] if self._server else []
        return [*server, *(worker.pid for worker in self._workers), self._submitter.pid]

    def _ask(self, order: str) -> Round:
        with watched(self._pids()) as usage:
            answer = self._submitter.ask(order, self._options.limit_s)
        return Round(answer, usage.cpu_s, usage.foreign_cores)

    def _settled(self, order: str) -> Round:
        """Ask; ask again while strangers disturb, and take the least disturbed answer."""
        rounds = [self._ask(order)]
        while rounds[-1].foreign_cores > CONTENDED_CORES and len(rounds) <= REPEATS:
            rounds.append(self._ask(order))
        return min(rounds, key=lambda each: each.foreign_cores)

    def _stages(self) -> int:
        return self._workflows * STAGES

    def _cpu_us(self, each: Round) -> float:
        """Return processor time per stage; ours starts its processes anew and tells its own."""
        told: float | None = each.answer.get("cpu_us_per_stage")
        return told if told is not None else each.cpu_s / self._stages() * 1e6


def _percentile(answer: Mapping[str, Any], percent: int) -> float:
    told: float | None = answer.get(f"p{percent}_ms")
    return told if told is not None else percentile(answer["ms"], percent)


def best_of(rows: Sequence[Row], backend: str) -> Row | None:
    """Return our row of a backend with the most stages a second, if it was measured."""
    own = [row for row in rows if row.ours == backend and not row.reason]
    return max(own, key=lambda row: row.stages_per_s, default=None)
