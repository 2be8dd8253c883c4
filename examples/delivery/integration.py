"""Fifth stage: bring the work into main."""

from __future__ import annotations

import json
from pathlib import Path

from anyio.to_thread import run_sync as in_thread

from examples.delivery import checks
from examples.delivery.context import Context
from examples.delivery.errors import MergeBroken, ToolFailed
from examples.delivery.places import attempt_folder
from examples.delivery.repository import MAIN, Repository
from examples.delivery.results import CommitTask, IntegrationResult

TRIES = 5


async def integrate(task: CommitTask, ctx: Context) -> IntegrationResult:
    """Merge the commit into main.

    `MergeConflict` names the files that others changed meanwhile; `MergeBroken` says what the
    merged service fails at. Doing it again after it was done returns what was done.
    """
    repository = Repository(Path(task.workspace.repository))
    commit = await in_thread(_merged_before, repository, task.commit, ctx.idempotency_key)
    if commit is None:
        async with attempt_folder(ctx, task.workspace) as folder:
            commit = await _merge(task, ctx, repository, folder)
    await in_thread(repository.delete_branch, task.workspace.branch)
    files = await in_thread(repository.changed_files, task.workspace.base_commit, commit)
    result = IntegrationResult(commit=commit, files=files)
    await ctx.log(f"{len(files)} files changed in main")
    await ctx.artifact("merge.json", json.dumps(result.model_dump(), indent=2).encode())
    return result


def _merged_before(repository: Repository, commit: str, key: str) -> str | None:
    """The merge an earlier attempt made, or main itself when there is nothing to merge."""
    if not repository.holds(MAIN, commit):
        return None
    return repository.find(MAIN, _mark(key)) or repository.head()


async def _merge(task: CommitTask, ctx: Context, repository: Repository, folder: Path) -> str:
    """Merge on top of main; again, if main moved in the meantime."""
    for number in range(TRIES):
        main = await in_thread(repository.head)
        code = await in_thread(repository.add_worktree, folder / f"code-{number}", main)
        merged = await in_thread(_merge_into, repository, code, task, ctx.idempotency_key)
        if main != task.workspace.base_commit:
            await ctx.log("main moved since this delivery began, so the merge is tested by itself")
            await _check_merged(task, ctx, code, folder)
        if await in_thread(_advance, repository, merged, main):
            return merged
    raise ToolFailed("git merge", f"main moved {TRIES} times while it was merged")


def _merge_into(repository: Repository, code: Path, task: CommitTask, key: str) -> str:
    branch = task.workspace.branch
    message = f"Merge {branch}: {task.request.name}\n\n{_mark(key)}\n"
    return repository.merge(code, task.commit, branch=branch, message=message)


def _advance(repository: Repository, merged: str, main: str) -> bool:
    return repository.advance(MAIN, merged, expected=main)


async def _check_merged(task: CommitTask, ctx: Context, code: Path, folder: Path) -> None:
    findings = [*await checks.lint(ctx, code), *await checks.compile_all(ctx, code)]
    findings += (await checks.run_tests(ctx, code, task.request.package, folder)).findings
    if findings:
        raise MergeBroken(task.workspace.branch, [str(finding) for finding in findings[:10]])


def _mark(key: str) -> str:
    return f"Delivery-Key: {key}"
