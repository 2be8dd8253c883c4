"""`make bench-peers`: the six-stage job on Stagewright and on its peers, one after the other.

Prints a table, leaves it in build/, and with --write puts it into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import FrameType

from benchmarks.install import BUILD, ROOT
from benchmarks.machine import description
from benchmarks.peers import chosen
from benchmarks.rounds import CONTENDED_CORES, Options, Row, best_of, measure
from benchmarks.tables import figure, markdown, plain, replace_between

PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = ("stages/s", "p50 ms", "p99 ms", "CPU µs/stage", "MiB")
HEAD = ("peer", "settings", *FIGURES, "x Redis", "x SQLite", "p50 / ours", "CPU / ours")
SETTINGS_HEAD = ("peer", "version", "durability", "workflows at once")


def ratio(mine: float, theirs: float) -> str:
    """Return how many times theirs goes into mine."""
    return "-" if mine != mine or theirs != theirs else f"{mine / theirs:.2f}"  # noqa: PLR0124


def named(row: Row) -> str:
    """Return the title, marked when the machine was not quiet."""
    return f"{row.title} *" if row.contended else row.title


def line(row: Row, rows: Sequence[Row]) -> list[str]:
    """Return the cells of one row, with the ratios to ours."""
    if row.reason:
        return [row.title, "not measured, see below", *["-"] * (len(HEAD) - 2)]
    redis, sqlite = best_of(rows, "redis"), best_of(rows, "sqlite")
    return [
        named(row),
        row.settings,
        figure(row.stages_per_s),
        figure(row.p50_ms, 1),
        figure(row.p99_ms, 1),
        figure(row.cpu_us),
        figure(row.memory_mib),
        ratio(redis.stages_per_s, row.stages_per_s) if redis else "-",
        ratio(sqlite.stages_per_s, row.stages_per_s) if sqlite else "-",
        ratio(row.p50_ms, redis.p50_ms) if redis else "-",
        ratio(row.cpu_us, redis.cpu_us) if redis else "-",
    ]


def taken(rows: Sequence[Row]) -> str:
    """Return when and where this was measured, and which rows are doubtful."""
    told = f"Measured {time.strftime('%Y-%m-%d')} on {description()}."
    if doubtful := [row for row in rows if row.contended]:
        most = max(row.foreign_cores for row in doubtful)
        told += (
            f" Rows marked * were disturbed: strangers used more than {CONTENDED_CORES} cores"
            f" (at most {most:.1f}) in the least disturbed of three tries."
        )
    return told


def unmeasured(rows: Sequence[Row]) -> str:
    """Return one line for each peer without figures, with the reason."""
    reasons = [row for row in rows if row.reason]
    return "\n".join(
        f"- Not measured: {row.title} ({row.settings}): {row.reason}" for row in reasons
    )


def page_text(rows: Sequence[Row]) -> str:
    """Return both tables as Markdown: the figures, then what stands behind each row."""
    told = [(row.title, row.version, row.durability, str(row.workflows or "-")) for row in rows]
    parts = [
        taken(rows),
        markdown(HEAD, [line(row, rows) for row in rows]),
        unmeasured(rows),
        markdown(SETTINGS_HEAD, list(dict.fromkeys(told))),
    ]
    return "\n\n".join(filter(None, parts))


def options_of(arguments: argparse.Namespace) -> Options:
    """Return what the command line asks for."""
    return Options(arguments.runs, arguments.scale, arguments.quiet_s, arguments.limit_s)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="beginnings of names")
    parser.add_argument("--runs", type=int, default=3, help="rounds of throughput; the median")
    parser.add_argument("--scale", type=float, default=1.0, help="times the listed workflows")
    parser.add_argument("--quiet-s", type=float, default=30.0, help="wait for a quiet machine")
    parser.add_argument("--limit-s", type=float, default=240.0, help="for one round")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write needs all peers: the page has one table, of one run")
    return arguments


def end_kindly(_: int, __: FrameType | None) -> None:
    """Turn a request to end into an exception, so that every server ends as well."""
    sys.exit("ended on request")


def main() -> None:
    """Measure, print, keep."""
    arguments = parsed()
    signal.signal(signal.SIGTERM, end_kindly)
    rows: list[Row] = []
    for peer in chosen(arguments.only):
        print(f"{peer.name} ({peer.settings}) ...", file=sys.stderr, flush=True)
        rows.append(measure(peer, options_of(arguments)))
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "rows.json").write_text(json.dumps([asdict(row) for row in rows], indent=1), "utf-8")
    (BUILD / "table.md").write_text(page_text(rows) + "\n", "utf-8")
    print(plain(HEAD, [line(row, rows) for row in rows]))
    print("\n".join(filter(None, [taken(rows), unmeasured(rows)])))
    if arguments.write:
        replace_between(PAGE, "peers", page_text(rows))


if __name__ == "__main__":
    main()
