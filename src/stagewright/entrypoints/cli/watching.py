"""Watching a workflow until it ends: live on a terminal, a line per change elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from stagewright.domain.errors import TimedOut
from stagewright.domain.workflow import Status
from stagewright.entrypoints.cli.output import err, out, print_json
from stagewright.entrypoints.cli.words import instant, mark, stage_status
from stagewright.entrypoints.cli.workflow_text import summary

if TYPE_CHECKING:
    from rich.console import Console

    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.views import WorkflowView


async def watched(
    client: Stagewright,
    workflow_id: str,
    timeout_s: float | None = None,
    *,
    remarks: bool = False,
    as_json: bool = False,
) -> WorkflowView:
    """Show a workflow until it ends and return its last view; TimedOut.

    `remarks` shows it on standard error, because standard output is for the result.
    """
    shown: object = None
    with _screen(err() if remarks else out(), as_json=as_json) as show:
        async for view in client.follow(workflow_id, timeout_s=timeout_s):
            if (state := _moving(view)) != shown or not as_json:
                show(view)
            shown = state
            if Status(view.status).terminal:
                return view
    raise TimedOut(
        f"Waiting for {workflow_id}",
        after_s=timeout_s,
        remedy=f"See `stagewright workflow explain {workflow_id}`.",
    )


Show = Callable[["WorkflowView"], None]


def _screen(console: Console, *, as_json: bool) -> AbstractContextManager[Show]:
    if as_json:
        return nullcontext(print_json)
    if console.is_terminal:
        return _Live(console)
    return nullcontext(_Lines(console))


def _moving(view: WorkflowView) -> object:
    """What makes two views different for somebody who watches."""
    return (
        view.status,
        view.progress,
        [(s.name, s.status, s.visit, s.attempt, s.outcome) for s in view.stages],
        [(w.stage, w.kind) for w in view.waiting],
    )


class _Live:
    """Paints the whole view again and again in place."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._console = console

    def __enter__(self) -> Show:
        self._live.start()
        return lambda view: self._live.update(summary(view, self._console), refresh=True)

    def __exit__(self, *exc: object) -> None:
        self._live.stop()


class _Lines:
    """Prints a line for each stage that changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before: set[str] = set()

    def __call__(self, view: WorkflowView) -> None:
        """Print what is new in a view."""
        from rich.text import Text

        lines = [_stage_line(stage) for stage in view.stages if stage.status != "pending"]
        if Status(view.status).terminal or view.status == "paused":
            lines.append(f"{mark(view.status)} {view.name} {view.status}")
        for line in lines:
            if line not in self._before:
                self._console.print(Text(f"{instant(view.updated_at_ms)}  {line}"))
        self._before.update(lines)


def _stage_line(stage: Any) -> str:
    rounds = f" round {stage.visit}" if stage.visit > 1 else ""
    attempts = f" attempt {stage.attempt}" if stage.attempt > 1 else ""
    end = f" {stage.outcome}" if stage.status == "ended" else ""
    symbol = mark(stage_status(stage.status, stage.outcome))
    return f"{symbol} {stage.name}{rounds}{attempts}{end}"
