"""The rules of the house: what no linter checks but every file of this repository keeps."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import run_tiers

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stagewright"
RECORDS = ROOT / "docs" / "adr"
HEADINGS = ["Context", "Decision", "Consequences", "Confirmation"]
FILE_LIMIT_LINES = 400
FUNCTION_LIMIT_LINES = 60

# Spelled in pieces, so that this file does not contain what it looks for.
REGISTRY_HOSTS = "|".join(
    name + re.escape(rest)
    for name, rest in [
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("npm", "js.org"),
        ("npm", "js.com"),
        ("deb", ".debian.org"),
        ("proxy", ".golang.org"),
        ("crates", ".io"),
    ]
)
MACHINE_PATHS = r"(?<![\w.}])/(?:" + "|".join(["wo" + "rk", "fa" + "rm", "ro" + "ot", "ho" + "me"])
LEAKS = re.compile(f"{REGISTRY_HOSTS}|{MACHINE_PATHS})/")
EXCUSES = re.compile(r"pytest\.(?:skip|xfail|importorskip)\(|mark\.(?:skip|skipif|xfail)\b")


def committed_files() -> Iterator[tuple[str, str]]:
    """Yield path and text of each file that git knows, binary files left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            yield name, content.decode()


def source_files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def records() -> list[Path]:
    return sorted(RECORDS.glob("[0-9]*.md"))


def long_functions(text: str) -> list[str]:
    functions = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [
        f"line {node.lineno}: {node.name} has {size} lines"
        for node in functions
        if (size := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LIMIT_LINES
    ]


def lines_with(pattern: re.Pattern[str], text: str) -> list[str]:
    return [line.strip()[:100] for line in text.splitlines() if pattern.search(line)]


@pytest.mark.parametrize("record", records(), ids=lambda path: path.stem)
def test_a_decision_record_has_its_four_parts_in_order(record: Path) -> None:
    assert re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("record", records(), ids=lambda path: path.stem)
def test_a_decision_record_is_confirmed_by_tests_that_exist(record: Path) -> None:
    confirmation = record.read_text().partition("## Confirmation")[2]
    assert confirmation.strip(), "a record says what fails when the decision is broken"
    for path, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", confirmation):
        assert (ROOT / path).is_file(), f"{path} does not exist"
        assert f"def {test}" in (ROOT / path).read_text(), f"{path} has no {test}"


def test_the_index_lists_exactly_the_decision_records() -> None:
    index = (RECORDS / "README.md").read_text()
    listed = re.findall(r"^\| \[\d{4}\]\((.+?)\)", index, re.MULTILINE)
    assert listed == [record.name for record in records()]


def test_no_committed_file_names_a_registry_or_a_place_on_one_machine() -> None:
    leaks = {name: found for name, text in committed_files() if (found := lines_with(LEAKS, text))}
    assert leaks == {}


@pytest.mark.parametrize(
    "text", ["https://py" + "pi.org/simple", "see /wo" + "rk/notes.txt", "'/ro" + "ot/.venv/'"]
)
def test_the_search_for_leaks_finds_them(text: str) -> None:
    assert lines_with(LEAKS, text) == [text]


@pytest.mark.parametrize("text", ["docs/home/index.md", "example.com/work/7", "frame" + "work/"])
def test_the_search_for_leaks_leaves_relative_paths_alone(text: str) -> None:
    assert lines_with(LEAKS, text) == []


def test_no_test_is_skipped_or_excused() -> None:
    own = Path(__file__).relative_to(ROOT).as_posix()
    excused = {
        name: found
        for name, text in committed_files()
        if name.startswith("tests/") and name != own and (found := lines_with(EXCUSES, text))
    }
    assert excused == {}


def test_each_layer_is_a_package_that_says_what_it_is() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rows = next(each for each in contracts["contracts"] if each["id"] == "layers")["layers"]
    layers = {name.strip() for row in rows for name in row.split("|")}
    packages = {path.parent.name: path for path in SOURCE.glob("*/__init__.py")}
    assert set(packages) == layers
    for name, path in packages.items():
        assert ast.get_docstring(ast.parse(path.read_text())), f"{name} does not say what it is"


def test_importing_the_package_loads_none_of_its_layers() -> None:
    script = "import stagewright, sys; print(*[m for m in sys.modules if m.startswith('stagew')])"
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.split() == ["stagewright"]


def test_the_public_face_hides_no_import_from_the_linter() -> None:
    face = (SOURCE / "__init__.py").read_text()
    assert not re.search(r"importlib|__import__", face)


@pytest.mark.parametrize("path", source_files(), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_a_source_file_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LIMIT_LINES
    assert long_functions(text) == []


def test_a_function_over_the_limit_is_found() -> None:
    text = "def f():\n" + "    pass\n" * FUNCTION_LIMIT_LINES
    assert long_functions(text) == ["line 1: f has 61 lines"]


def test_every_folder_of_tests_belongs_to_a_tier() -> None:
    tiers = (*run_tiers.TIERS, *run_tiers.LONG)
    run = {word for tier in tiers for command in tier.commands for word in command}
    folders = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders <= run
