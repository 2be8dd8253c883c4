"""Linter, compiler and tests, run on a folder with a generated service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from examples.delivery.context import Context
from examples.delivery.errors import ToolFailed
from examples.delivery.results import Finding
from examples.delivery.tools import RUFF_ALONE, run_tool

LINE_LENGTH = 100
# The pipeline's own taste; settings that lie in the generated code are not looked at.
LINT_RULES = "E,F,W,I,B,UP,N,SIM,C4,RET,PT,D1"
LINT_EXCEPTIONS = '{"tests/*" = ["D"], "*" = ["D105", "D107"]}'
NO_TESTS_COLLECTED = 5
TESTS_FAILED = 1


@dataclass(frozen=True)
class TestReport:
    """What a run of the tests came to; `uncovered` names the functions not fully tested."""

    tests: int
    findings: tuple[Finding, ...]
    coverage_percent: float = 0.0
    uncovered: tuple[Finding, ...] = ()


async def lint(ctx: Context, code: Path) -> list[Finding]:
    """What ruff does not like, style and format."""
    checked = await run_tool(
        ctx,
        code,
        "ruff",
        *("check", *RUFF_ALONE, "--output-format=json", "--exit-zero"),
        *(f"--select={LINT_RULES}", f"--line-length={LINE_LENGTH}"),
        *("--config", f"lint.per-file-ignores={LINT_EXCEPTIONS}"),
        ".",
    )
    if checked.returncode != 0 or "No Python files found" in checked.stderr:
        raise ToolFailed("ruff check", checked.tail)
    return [_lint_finding(code, each) for each in json.loads(checked.stdout)]


async def compile_all(ctx: Context, code: Path) -> list[Finding]:
    """What Python cannot compile."""
    done = await run_tool(ctx, code, "compileall", "-q", "-f", ".")
    if done.returncode == 0:
        return []
    return [Finding(tool="compileall", code="syntax", where=".", message=done.tail)]


async def run_tests(ctx: Context, code: Path, package: str, reports: Path) -> TestReport:
    """Run the tests of `package` and measure which of its lines and branches they reach."""
    data, junit, summary = (reports / name for name in ("coverage", "junit.xml", "coverage.json"))
    rc = f"--rcfile={_coverage_settings(reports, package)}"
    ran = await run_tool(
        ctx,
        code,
        "coverage",
        *("run", rc, f"--data-file={data}", "-m", "pytest", "-q", "-c", "pyproject.toml"),
        *("-p", "no:cacheprovider", "-o", "addopts=", f"--junitxml={junit}", "tests"),
    )
    if not junit.exists():
        found = Finding(tool="pytest", code="broken", where="tests", message=ran.tail)
        return TestReport(0, (found,))
    tests, findings = _read_junit(junit)
    if ran.returncode == NO_TESTS_COLLECTED:
        nothing = Finding(tool="pytest", code="no-tests", where="tests", message="no test found")
        return TestReport(0, (nothing,))
    if ran.returncode not in (0, TESTS_FAILED) and not findings:
        raise ToolFailed("pytest", ran.tail)
    measured = await run_tool(
        ctx, code, "coverage", "json", rc, f"--data-file={data}", "-q", "-o", str(summary)
    )
    if measured.returncode != 0:
        raise ToolFailed("coverage json", measured.tail)
    report = json.loads(summary.read_bytes())
    percent = float(report["totals"]["percent_covered"])
    return TestReport(tests, tuple(findings), percent, tuple(_uncovered(report)))


def _coverage_settings(folder: Path, package: str) -> Path:
    settings = folder / "coveragerc"
    settings.write_text(
        f"[run]\nbranch = true\nsource = {package}\nomit = */__main__.py\n", encoding="utf-8"
    )
    return settings


def _lint_finding(code: Path, each: Mapping[str, Any]) -> Finding:
    file = Path(each["filename"]).relative_to(code.resolve())
    return Finding(
        tool="ruff",
        code=each["code"] or "syntax",
        where=f"{file}:{each['location']['row']}",
        message=each["message"],
    )


def _read_junit(junit: Path) -> tuple[int, list[Finding]]:
    cases = list(ET.parse(junit).getroot().iter("testcase"))  # noqa: S314  pytest wrote it
    return len(cases), list(_failed(cases))


def _failed(cases: Iterable[ET.Element]) -> Iterator[Finding]:
    for case in cases:
        for problem in (*case.findall("failure"), *case.findall("error")):
            yield Finding(
                tool="pytest",
                code="failed",
                where=f"{case.get('classname')}:{case.get('name')}",
                message=(problem.get("message") or "").strip()[:500],
            )


def _uncovered(report: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding per function that some line or branch of was not reached."""
    for file, measured in sorted(report["files"].items()):
        for name, function in measured.get("functions", {}).items():
            lines = sorted({*function["missing_lines"], *_sources(function)})
            if name and lines:
                yield Finding(
                    tool="coverage",
                    code="uncovered",
                    where=f"{file}:{lines[0]}",
                    message=f"{name} is not fully tested, see lines {', '.join(map(str, lines))}",
                    symbol=f"{Path(file).stem}:{name}",
                )


def _sources(function: Mapping[str, Any]) -> Iterator[int]:
    for source, _target in function.get("missing_branches", ()):
        yield abs(int(source))
