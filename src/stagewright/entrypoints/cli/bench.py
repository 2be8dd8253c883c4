"""`stagewright bench`: measure this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.flags import AsJson, Url, settings_of

if TYPE_CHECKING:
    from stagewright.entrypoints.bench import BenchReport


def bench(
    workflows: Annotated[int, typer.Option(min=1, help="How many to run.", metavar="N")] = 2_000,
    agent_processes: Annotated[
        int,
        typer.Option(min=1, max=64, help="Processes that run agents, on a server.", metavar="N"),
    ] = 2,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Measure a six-stage workflow whose agents do nothing: stages a second, and latency."""
    import anyio

    from stagewright.entrypoints.bench import BenchOptions, run_bench

    settings = settings_of(url=url)
    options = BenchOptions(workflows=workflows, agent_processes=agent_processes)
    report = anyio.run(run_bench, settings, options, backend_options={"use_uvloop": True})
    _print(report, as_json=as_json)


def _print(report: BenchReport, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import print_json, print_table

    if as_json:
        print_json(asdict(report))
        return
    rows = [
        (name, f"{value:,.1f}" if isinstance(value, float) else str(value))
        for name, value in asdict(report).items()
    ]
    print_table(("FIGURE", "VALUE"), rows, fold=("VALUE",))
