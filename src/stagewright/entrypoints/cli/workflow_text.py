"""Workflows as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stagewright.domain.workflow import sentence
from stagewright.entrypoints.cli.output import arrow, out, pretty_json, print_table, say
from stagewright.entrypoints.cli.tables import table
from stagewright.entrypoints.cli.words import ago, duration, instant, shown, stage_status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from stagewright.ports.views import LogPage, StageView, Waiting, WorkflowPage, WorkflowView

_SHOWN_CHARACTERS = 4_000


def print_page(page: WorkflowPage) -> None:
    """Print a page of workflows."""
    rows = [
        (
            row.workflow_id,
            f"{row.name} {row.version}",
            shown(row.status),
            row.current_stage or "",
            f"{row.progress} %",
            ", ".join(row.waiting),
            ago(row.updated_at_ms),
        )
        for row in page.rows
    ]
    if rows:
        columns = ("ID", "WORKFLOW", "STATUS", "STAGE", "DONE", "WAITS FOR", "UPDATED")
        drop = ("UPDATED", "WAITS FOR", "STAGE", "DONE", "WORKFLOW")
        print_table(columns, rows, fold=("WAITS FOR",), drop=drop)
    else:
        say("No workflows.")
    if page.cursor:
        say(f"More: --cursor {page.cursor}")


def print_workflow(view: WorkflowView) -> None:
    """Print one workflow: what it is, its stages, what it waits for, what came out."""
    out().print(summary(view, out()))
    _print_block("input", view.input)
    if view.output is not None:
        _print_block("output", view.output)


def summary(view: WorkflowView, console: Console) -> RenderableType:
    """Return all of a workflow but its input and output, as it fits the console."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_head(view), Text(_dates(view), style="dim"), Text()]
    parts.append(_stages(view.stages, console))
    if view.reason:
        parts += [Text(), *_ending(view)]
    if view.waiting:
        parts += [Text(), *waiting_lines(view.waiting)]
    return Group(*parts)


def _ending(view: WorkflowView) -> list[RenderableType]:
    """Return why a workflow ended, and the errors that led to it."""
    from rich.text import Text

    errors = (f"  {error.get('type')}: {sentence(error)}" for error in view.errors)
    return [Text(f"Ended because: {view.reason}"), *map(Text, errors)]


def _head(view: WorkflowView) -> RenderableType:
    from rich.text import Text

    line = Text.assemble((f"{view.name} {view.version}", "bold"), "  ")
    line.append_text(shown(view.status))
    line.append(f"  {view.progress} %  P{view.priority}")
    line.append(f"\n{view.workflow_id}")
    if view.key is not None:
        line.append(f"  key {view.key}")
    for name, value in view.labels.items():
        line.append(f"  {name}={value}", style="dim")
    if view.continues:
        line.append(f"\ncontinues {view.continues}")
    return line


def _dates(view: WorkflowView) -> str:
    parts = [f"started {ago(view.created_at_ms)}"]
    if view.finished_at_ms is None:
        parts.append(f"updated {ago(view.updated_at_ms)}")
    else:
        took = duration((view.finished_at_ms - view.created_at_ms) / 1_000)
        parts.append(f"ended {ago(view.finished_at_ms)} after {took}")
    if view.deadline_at_ms is not None and view.finished_at_ms is None:
        parts.append(f"deadline {ago(view.deadline_at_ms)}")
    return ", ".join(parts)


def _stages(stages: Sequence[StageView], console: Console) -> RenderableType:
    columns = ("STAGE", "KIND", "OUTCOME", "ROUND", "ATTEMPT", "TOOK", "ERROR")
    drop = ("KIND", "ATTEMPT", "ROUND")
    return table(columns, list(map(_row, stages)), console, fold=("ERROR",), drop=drop)


def _row(stage: StageView) -> Sequence[Any]:
    rounds = f"{stage.visit} of {stage.max_visits}" if stage.max_visits else f"{stage.visit}"
    return (
        shown(stage_status(stage.status, stage.outcome), stage.name),
        stage.kind,
        stage.outcome or "",
        rounds if stage.visit else "",
        str(stage.attempt or ""),
        _took(stage),
        sentence(stage.errors[0]) if stage.errors else "",
    )


def _took(stage: StageView) -> str:
    if stage.started_at_ms is None or stage.status == "pending":
        return ""
    if stage.ended_at_ms is None or stage.status == "active":
        return f"since {ago(stage.started_at_ms).removesuffix(' ago')}"
    return duration((stage.ended_at_ms - stage.started_at_ms) / 1_000)


def waiting_lines(waiting: Sequence[Waiting]) -> list[RenderableType]:
    """Return for each reason its sentence, who can change it, since when, and how."""
    from rich.text import Text

    lines: list[RenderableType] = []
    for reason in waiting:
        lines.append(Text.assemble((reason.stage or "workflow", "bold"), f": {reason.reason}"))
        lines.append(Text(f"  owner {reason.owner}, since {ago(reason.since_ms)}", style="dim"))
        if reason.remedy:
            lines.append(Text(f"  {arrow()} {reason.remedy}", style="cyan"))
    return lines


def print_explanation(view: WorkflowView) -> None:
    """Print why a workflow does not move."""
    ended = [shown(view.status), *(_ending(view) if view.reason else ())]
    for line in waiting_lines(view.waiting) or ended:
        out().print(line)


def _print_block(title: str, value: Any) -> None:
    from rich.text import Text

    text = pretty_json(value)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + f"\n... ({len(text)} characters; --json prints all)"
    out().print(Text(f"\n{title}", style="dim"))
    out().print(Text(text))


def print_log(page: LogPage, *, notes: bool) -> None:
    """Print logged steps, one event a line, or notes."""
    from rich.text import Text

    for record in page.records:
        if notes:
            out().print(Text(pretty_json(record)))
            continue
        number, at_ms = record.get("n", ""), record.get("at_ms", 0)
        for event in record.get("events", ()):
            out().print(Text(f"{number:>5}  {instant(at_ms)}  {_event(event)}"))
    if page.after is not None:
        say(f"More: --after {page.after}")


def _event(event: dict[str, Any]) -> str:
    shown_first = ("stage", "visit", "attempt", "outcome", "to", "by")
    details = [f"{key}={event[key]}" for key in shown_first if event.get(key) not in (None, "", 0)]
    return f"{event.get('type', '?'):<20} {' '.join(details)}".rstrip()
