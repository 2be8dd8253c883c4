"""Second stage: write the service, and write it again with what the checks found."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from anyio.to_thread import run_sync as in_thread

from examples.delivery.context import Context, Feedback
from examples.delivery.errors import ToolFailed
from examples.delivery.literals import prose
from examples.delivery.places import attempt_folder
from examples.delivery.rendering import Approach, render
from examples.delivery.repository import Repository
from examples.delivery.request import DeliveryRequest
from examples.delivery.results import Finding, ScaffoldResult, ScaffoldTask
from examples.delivery.tools import RUFF_ALONE, run_tool

LINE_LENGTH = 100
ANSWERED = frozenset({"search-missed", "uncovered", "coverage"})
"""Codes of findings that this scaffolder has a particular answer to."""


async def scaffold(task: ScaffoldTask, ctx: Context) -> ScaffoldResult:
    """Commit a runnable service to the branch of this delivery.

    Every round starts from the same commit and from the findings of all rounds before it, so an
    attempt that is repeated makes the same service.
    """
    request, workspace = task.request, task.workspace
    findings = earlier_findings(ctx.feedback)
    approach = learned(findings)
    for line in _answers(findings, approach):
        await ctx.log(line)
    repository = Repository(Path(workspace.repository))
    async with attempt_folder(ctx, workspace) as folder:
        code = await in_thread(repository.add_worktree, folder / "code", workspace.base_commit)
        await in_thread(_write, code, request, approach)
        await _tidy(ctx, code)
        message = _message(request, findings, ctx.visit)
        commit = await in_thread(repository.commit_all, code, message)
    await in_thread(repository.set_branch, workspace.branch, commit)
    files = await in_thread(repository.changed_files, workspace.base_commit, commit)
    await ctx.log(f"{len(files)} files" + (f" after {len(findings)} findings" if findings else ""))
    await ctx.artifact("source.txt", "\n".join([commit, *files]).encode())
    return ScaffoldResult(
        commit=commit,
        branch=workspace.branch,
        files=files,
        search=approach.search,
        answered=tuple(str(finding) for finding in findings),
    )


def earlier_findings(feedback: Iterable[Feedback]) -> list[Finding]:
    """All findings that reviewers of earlier rounds gave, oldest first."""
    return [
        Finding.model_validate(finding)
        for round_ in feedback
        for finding in (round_.output or {}).get("findings", ())
    ]


def learned(findings: Iterable[Finding]) -> Approach:
    """What the findings say about how to write the service this time."""
    found = list(findings)
    missed = any(finding.code == "search-missed" for finding in found)
    uncovered = {finding.symbol for finding in found if finding.code == "uncovered"}
    return Approach("casefold" if missed else "like", frozenset(filter(None, uncovered)))


def _answers(findings: list[Finding], approach: Approach) -> Iterable[str]:
    if approach.search == "casefold":
        yield "searching with Unicode case folding, LIKE folds ASCII letters only"
    if approach.uncovered:
        yield f"writing tests for {', '.join(sorted(approach.uncovered))}"
    others = [each for each in findings if each.code not in ANSWERED]
    for finding in others:
        yield f"writing the service afresh because of {finding}"


def _write(code: Path, request: DeliveryRequest, approach: Approach) -> None:
    """Replace what is in `code` by the service; files of an older version go."""
    for old in code.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        elif old.name != ".git":
            old.unlink()
    for name, text in render(request, approach):
        path = code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


async def _tidy(ctx: Context, code: Path) -> None:
    """Sort imports, drop those not needed, and format, as any author would before a commit."""
    fix = ("check", "--fix", "--quiet", "--select=I,F401")
    form = ("format", "--quiet", f"--line-length={LINE_LENGTH}")
    for arguments in (fix, form):
        done = await run_tool(ctx, code, "ruff", *arguments, *RUFF_ALONE, ".")
        if done.returncode != 0:
            raise ToolFailed("ruff", done.tail)


def _message(request: DeliveryRequest, findings: list[Finding], round_: int) -> str:
    title = f"Build {request.name}" if round_ == 1 else f"Build {request.name}, round {round_}"
    reasons = "".join(f"{prose(f'- {finding}')}\n" for finding in findings[:20])
    return f"{title}\n\n{prose(request.description)}\n\n{reasons}"
