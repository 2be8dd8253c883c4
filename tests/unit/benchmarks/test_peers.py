from __future__ import annotations

import math
import re

import pytest

from benchmarks import rounds
from benchmarks.bench_peers import HEAD, line, page_text, taken
from benchmarks.install import JOBS
from benchmarks.peers import Peer, all_peers, chosen, listed
from benchmarks.processes import Failed
from benchmarks.rounds import Options, Round, Row, best_of, measure
from benchmarks.servers import SERVERS, Missing

WORDS = re.compile(r"{(\w+)}")
FILES = re.compile(r"benchmarks\.jobs\.(\w+)|(\w+\.mjs)")


def row(title: str, stages_per_s: float = 1_000.0, ours: str | None = None, **more: object) -> Row:
    values: dict[str, object] = {"p50_ms": 5.0, "p99_ms": 9.0, "cpu_us": 100.0, "memory_mib": 80.0}
    return Row(title.lower(), title, "", "", ours, stages_per_s=stages_per_s, **(values | more))  # type: ignore[arg-type]


def commands(peer: Peer) -> str:
    return " ".join([*peer.workers, peer.submitter])


@pytest.mark.parametrize("peer", all_peers(), ids=lambda peer: peer.name)
def test_what_a_peer_needs_is_listed(peer: Peer) -> None:
    words = set(WORDS.findall(commands(peer)))
    assert words <= {"python", "bin", "node"}
    assert ("node" in words) <= (peer.node in listed()["node"]["packages"])
    assert peer.ours or peer.node or peer.venv
    assert peer.venv is None or peer.venv in listed()["python"]
    assert peer.server is None or peer.server in SERVERS
    for module, script in FILES.findall(commands(peer)):
        assert (JOBS / (script or f"{module}.py")).is_file()


def test_every_version_is_pinned() -> None:
    pins = [pin for group in listed()["python"].values() for pin in group]
    assert all("==" in pin for pin in [*pins, listed()["node"]["wheel"]])
    assert all(version[0].isdigit() for version in listed()["node"]["packages"].values())


def test_peers_are_chosen_by_the_beginning_of_their_names() -> None:
    assert {peer.title for peer in chosen("bullmq-c, dbos-s")} == {"BullMQ, chain", "DBOS, SQLite"}
    assert chosen("") == all_peers()
    with pytest.raises(SystemExit, match="no peer named nobody"):
        chosen("nobody")


def test_ratios_are_those_of_our_best_row_on_each_backend() -> None:
    slow, fast = row("Ours", 4_000, "redis"), row("Ours", 8_000, "redis")
    file = row("Ours", 2_000, "sqlite")
    peer = row("Peer", 1_000, p50_ms=10.0, cpu_us=400.0)
    rows = [slow, fast, file, peer]
    assert best_of(rows, "redis") is fast
    assert dict(zip(HEAD, line(peer, rows), strict=True)) | {"settings": ""} == {
        "peer": "Peer",
        "settings": "",
        "stages/s": "1,000",
        "p50 ms": "10.0",
        "p99 ms": "9.0",
        "CPU µs/stage": "100" if math.isnan(peer.cpu_us) else "400",
        "MiB": "80",
        "x Redis": "8.00",
        "x SQLite": "2.00",
        "p50 / ours": "2.00",
        "CPU / ours": "4.00",
    }


def test_a_peer_that_cannot_be_installed_is_named_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Peer) -> None:
        raise Missing("pip could not install: no network")

    monkeypatch.setattr(rounds, "place_of", refuse)
    measured = measure(chosen("celery")[0], Options())
    assert math.isnan(measured.stages_per_s)
    text = page_text([measured])
    assert "| Celery, chain | not measured, see below |" in text
    assert "- Not measured: Celery, chain (2 processes (solo), acks_late): pip could not" in text


def test_a_disturbed_row_is_marked_and_the_page_says_so() -> None:
    calm, loud = row("Calm", foreign_cores=0.1), row("Loud", foreign_cores=0.9)
    assert line(calm, [])[0] == "Calm"
    assert line(loud, [])[0] == "Loud *"
    assert "at most 0.9" in taken([calm, loud])
    assert "*" not in taken([calm])


@pytest.mark.parametrize(
    ("foreign", "asked", "taken_cores"),
    [([0.1], 1, 0.1), ([0.9, 0.1], 2, 0.1), ([0.9, 0.5, 0.7], 3, 0.5)],
)
def test_a_disturbed_round_is_repeated_at_most_twice(
    monkeypatch: pytest.MonkeyPatch, foreign: list[float], asked: int, taken_cores: float
) -> None:
    coming = iter(foreign)
    orders: list[str] = []

    def ask(_: object, order: str) -> Round:
        orders.append(order)
        return Round({"seconds": 1.0}, 0.0, next(coming))

    monkeypatch.setattr(rounds.Running, "_ask", ask)
    running = object.__new__(rounds.Running)
    assert running._settled("batch 1").foreign_cores == taken_cores
    assert len(orders) == asked


def test_what_goes_wrong_in_a_peer_is_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise Failed("celery-worker-1 ended too early: it said nothing")

    monkeypatch.setattr(rounds, "place_of", fail)
    assert measure(chosen("celery")[0], Options()).reason.startswith("celery-worker-1 ended")
