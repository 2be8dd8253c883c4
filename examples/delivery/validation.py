"""Third stage: see whether the code holds up by itself."""

from __future__ import annotations

import json
import math
from pathlib import Path

from anyio.to_thread import run_sync as in_thread

from examples.delivery import checks
from examples.delivery.context import Context
from examples.delivery.places import attempt_folder
from examples.delivery.repository import Repository
from examples.delivery.requirements import expectations
from examples.delivery.results import CommitTask, Finding, ValidationResult


async def validate(task: CommitTask, ctx: Context) -> ValidationResult:
    """Run linter, compiler and tests on the commit; `rework` with findings if any complains."""
    required = expectations(task.request.requirements).coverage_percent
    async with attempt_folder(ctx, task.workspace) as folder:
        code = folder / "code"
        await in_thread(Repository(Path(task.workspace.repository)).export, task.commit, code)
        findings = [*await checks.lint(ctx, code), *await checks.compile_all(ctx, code)]
        report = await checks.run_tests(ctx, code, task.request.package, folder)
    findings += report.findings
    if report.coverage_percent < required:
        findings += _too_little(report, required)
    result = ValidationResult(
        verdict="rework" if findings else "ok",
        findings=tuple(findings),
        tests=report.tests,
        coverage_percent=math.floor(report.coverage_percent * 10) / 10,
        required_percent=required,
    )
    await ctx.log(
        f"{len(findings)} findings, {report.tests} tests cover "
        f"{result.coverage_percent} % of {required} %"
    )
    await ctx.artifact("validation.json", json.dumps(result.model_dump(), indent=2).encode())
    return result


def _too_little(report: checks.TestReport, required: int) -> list[Finding]:
    summary = Finding(
        tool="coverage",
        code="coverage",
        where="tests",
        message=f"the tests reach {report.coverage_percent:.2f} %, {required} % are required",
    )
    return [summary, *report.uncovered]
