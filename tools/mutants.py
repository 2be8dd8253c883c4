"""Plant known mistakes in a copy of this project, one by one, and say which harness catches each.

    python -m tools.mutants                    every bug, each until something catches it
    python -m tools.mutants --only lease Redis  those whose names have one of these words
    python -m tools.mutants --by kernel sweep   no other harnesses than these
    python -m tools.mutants --all              every harness, also after the first catch
    python -m tools.mutants --list             only name them

A harness is believed only when it is green without a bug, so each is run once so before it is first
used. Caught is what makes a test fail, kills the run or hangs it. The answer is 1 when a bug that
nobody has explained survives, or when too many do.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.planted import PLANTED
from tests.mutants.record import CannotPlant, Planted

ROOT = Path(__file__).resolve().parent.parent
MOST_SURVIVORS = 1 / 25
MEMORY_BYTES = 8 << 30
"""What a process of a run may take: some bugs go round for ever and remember each round."""
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", ".coverage*"
)
CORE = ("domain/", "application/")
EVERYTHING = (*CORE, "adapters/")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::[\w:]+)", re.MULTILINE)
FAILURE, SUCCESS = 1, 0  # the exit codes of pytest that say something about the code


@dataclass(frozen=True, slots=True)
class Harness:
    """Tests that may catch a bug in the files that they reach."""

    name: str
    paths: tuple[str, ...]
    reaches: tuple[str, ...]
    """Beginnings of files below `src/stagewright`; bugs elsewhere are not its to find."""
    limit_s: int
    """A run that takes longer hangs, as does one test that takes a quarter of that."""


HARNESSES = (  # the cheapest first
    Harness("contracts-memory", ("tests/contracts/test_memory.py",), ("adapters/memory",), 120),
    Harness("kernel", ("tests/unit/domain",), ("domain/",), 240),
    Harness("access", ("tests/unit/entrypoints/api",), ("entrypoints/api",), 120),
    Harness("application", ("tests/unit/application",), (*CORE, "adapters/memory"), 240),
    *(
        Harness(
            f"contracts-{name}",
            (f"tests/contracts/test_{name}.py", f"tests/adapters/{name}", "tests/unit/adapters"),
            (f"adapters/{name}",),
            300,
        )
        for name in ("sqlite", "redis")
    ),
    Harness("simulation", ("tests/mutants/seeds.py",), (*CORE, "adapters/memory"), 400),
    Harness("sweep", ("tests/faults/test_crash_sweep.py",), (*CORE, "adapters/memory"), 360),
    Harness(
        "kills",
        ("tests/faults/test_kills_redis.py", "tests/faults/test_kills_sqlite.py"),
        (*CORE, "adapters/redis", "adapters/sqlite"),
        600,
    ),
)


class Unsound(Exception):
    """A harness that is red without a bug, or that could not run: it proves nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one harness said of one bug."""

    harness: str
    caught: bool
    took_s: float
    test: str = ""
    """The test that failed; empty when the run hung or died."""


@dataclass(slots=True)
class Bench:
    """A copy of the project with an interpreter of its own, in which nothing of it is installed."""

    root: Path
    sound: set[str] = field(default_factory=set)

    @property
    def python(self) -> Path:
        """The interpreter; child processes that tests start get it too."""
        return self.root / ".venv" / "bin" / "python"

    def prepare(self) -> None:
        """Let the interpreter find the copy first, then the packages that are installed here."""
        venv.create(self.root / ".venv", symlinks=True, with_pip=False)
        (packages,) = self.root.glob(".venv/lib/python*/site-packages")
        installed = sysconfig.get_path("purelib")
        lines = f"{self.root / 'src'}\nimport site; site.addsitedir({installed!r})\n"
        (packages / "copy.pth").write_text(lines)
        script = self.python.with_name("stagewright")
        script.write_text(
            f"#!{self.python}\nimport sys\nfrom stagewright.entrypoints.cli import main\n"
            "sys.exit(main())\n"
        )
        script.chmod(0o755)

    @contextmanager
    def planted(self, bug: Planted) -> Iterator[None]:
        """Keep a bug in the copy for a while."""
        path = self.root / bug.path
        right = path.read_text("utf-8")
        path.write_text(bug.plant(right), "utf-8")
        try:
            yield
        finally:
            path.write_text(right, "utf-8")

    def prove(self, harness: Harness) -> None:
        """Run a harness without a bug, once; raise Unsound unless it is green."""
        if harness.name in self.sound:
            return
        verdict = self.run(harness)
        if verdict.caught:
            msg = f"{harness.name} is red without a bug: {verdict.test or 'it hung or died'}"
            raise Unsound(msg)
        self.sound.add(harness.name)
        print(f"{harness.name} is green without a bug ({verdict.took_s:.0f} s)", flush=True)

    def run(self, harness: Harness) -> Verdict:
        """Run a harness until its first failure, its end or its limit."""
        command = [
            *(str(self.python), "-m", "pytest", "-x", "-q", "--tb=line"),
            *("-p", "no:cacheprovider", "-p", "tests.mutants.guard"),
            *("-o", f"faulthandler_timeout={harness.limit_s / 4}"),
            *harness.paths,
        ]
        started = time.monotonic()
        code, output = self._run(command, harness.limit_s)
        took_s = time.monotonic() - started
        if code is not None and code > FAILURE:
            msg = f"{harness.name} could not run:\n{output[-2_000:]}"
            raise Unsound(msg)
        failed = FAILED.search(output)
        return Verdict(harness.name, code != SUCCESS, took_s, failed[1] if failed else "")

    def _run(self, command: Sequence[str], limit_s: float) -> tuple[int | None, str]:
        """Return the exit code, None when the limit was reached, and what was printed."""
        environment = os.environ | {"PYTHONPATH": str(self.root / "src")}
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code: int | None = None
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                pass
            finally:
                end_group(process)
            output.seek(0)
            return code, output.read()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a run with all that it started and left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


@contextmanager
def bench() -> Iterator[Bench]:
    """Copy the project to where it may be broken."""
    with tempfile.TemporaryDirectory(prefix="stagewright-mutants-") as folder:
        made = Bench(Path(folder).resolve() / "copy")
        shutil.copytree(ROOT, made.root, ignore=NOT_COPIED, symlinks=True)
        made.prepare()
        yield made


def able(bug: Planted, names: Sequence[str] = ()) -> list[Harness]:
    """Return the harnesses that can catch a bug, of those named if any, the cheapest first."""
    reaching = [harness for harness in HARNESSES if bug.file.startswith(harness.reaches)]
    return [harness for harness in reaching if not names or harness.name in names]


def chase(
    made: Bench, bug: Planted, harnesses: Sequence[Harness], *, everywhere: bool
) -> list[Verdict]:
    """Return what the harnesses say of a bug, up to the first that catches it or all of them."""
    verdicts: list[Verdict] = []
    for harness in harnesses:
        made.prove(harness)
        with made.planted(bug):
            verdicts.append(made.run(harness))
        if verdicts[-1].caught and not everywhere:
            break
    return verdicts


def row(bug: Planted, verdicts: Sequence[Verdict]) -> str:
    """Return one line of the table."""
    catches = [verdict for verdict in verdicts if verdict.caught]
    by = ", ".join(verdict.harness for verdict in catches) or "nothing"
    first = catches[0] if catches else None
    test = "" if first is None else test_name(first)
    took_s = sum(verdict.took_s for verdict in verdicts)
    return f"| {bug.name} | `{bug.file}` | {by} | {test or bug.why} | {took_s:.0f} |"


def test_name(verdict: Verdict) -> str:
    """Return the test as pages name it."""
    return f"`{verdict.test.rpartition('::')[2]}`" if verdict.test else "it hangs"


def judge(caught: int, survivors: Sequence[Planted], *, whole: bool) -> list[str]:
    """Return what is wrong with the harnesses, in sentences; nothing when they hold."""
    total = caught + len(survivors)
    wrong = [f"survived: {bug.name}" for bug in survivors if not bug.why]
    if whole and len(survivors) > MOST_SURVIVORS * total:
        wrong.append(f"{len(survivors)} of {total} survived; one in 25 may")
    return wrong


def chosen(words: Sequence[str]) -> list[Planted]:
    """Return the bugs whose name or file has one of the words, or all."""
    wanted = [word.lower() for word in words]
    return [
        bug
        for bug in PLANTED
        if not wanted or any(word in f"{bug.name} {bug.file}".lower() for word in wanted)
    ]


def chase_all(
    bugs: Sequence[Planted], names: Sequence[str] = (), *, everywhere: bool
) -> list[Planted]:
    """Print the table; return the bugs that survived."""
    survivors: list[Planted] = []
    with bench() as made:
        for harness in HARNESSES:  # those that will be needed first, so that the table is one
            if any(able(bug, names)[:1] == [harness] for bug in bugs):
                made.prove(harness)
        print("\n| bug | planted in | caught by | first test to fail | s |")
        print("|---|---|---|---|---|", flush=True)
        for bug in bugs:
            verdicts = chase(made, bug, able(bug, names), everywhere=everywhere)
            print(row(bug, verdicts), flush=True)
            if not any(verdict.caught for verdict in verdicts):
                survivors.append(bug)
    return survivors


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant the bugs named on the command line; return 0 when the harnesses hold."""
    parser = argparse.ArgumentParser(prog="mutants", description="Plant bugs and see them caught.")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    names = [harness.name for harness in HARNESSES]
    parser.add_argument("--by", nargs="+", default=[], choices=names, metavar="HARNESS")
    parser.add_argument("--all", action="store_true", help="run every harness on every bug")
    parser.add_argument("--list", action="store_true", help="only name the bugs")
    options = parser.parse_args(arguments)
    bugs = [bug for bug in chosen(options.only) if able(bug, options.by)]
    if options.list:
        print("\n".join(f"{bug.file}: {bug.name}" for bug in bugs))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no copy and no process behind
    try:
        survivors = chase_all(bugs, options.by, everywhere=options.all)
    except (CannotPlant, Unsound) as error:
        print(f"error: {error}")
        return 1
    caught = len(bugs) - len(survivors)
    wrong = judge(caught, survivors, whole=not (options.only or options.by))
    print(f"\n{caught} of {len(bugs)} planted bugs were caught", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
