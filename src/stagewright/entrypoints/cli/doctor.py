"""`stagewright doctor`: what is not as it should be."""

from __future__ import annotations

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.flags import AsJson, Url


def doctor(url: Url = None, as_json: AsJson = False) -> None:
    """Check the store, its space and settings, clocks, orchestrators, agents, lanes, letters."""
    from stagewright.entrypoints.cli.output import print_json
    from stagewright.entrypoints.diagnosis import FAILED, diagnose

    findings = ask(url, diagnose)
    if as_json:
        print_json(findings)
    else:
        _print(findings)
    if any(finding.status == FAILED for finding in findings):
        raise typer.Exit(1)


def _print(findings: object) -> None:
    from rich.text import Text

    from stagewright.entrypoints.cli.output import arrow, out
    from stagewright.entrypoints.cli.words import shown
    from stagewright.entrypoints.diagnosis import Finding

    for finding in findings if isinstance(findings, list) else []:
        if not isinstance(finding, Finding):
            continue
        line = shown(finding.status, finding.check)
        line.append(f": {finding.found}", style="default")
        out().print(line)
        if finding.remedy:
            out().print(Text(f"  {arrow()} {finding.remedy}", style="cyan"))
