"""What documents point at is there: files, headings, and the tests that prove what they say."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
TEST = re.compile(r"`(?:[\w/]+\.py::)?(test_\w+)`")
DEFINED = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found = (ROOT / name for name in filter(None, listed.stdout.split("\0")))
    return [path for path in found if path.is_file()]


def prose(path: Path) -> str:
    """The text without what stands in fences: examples hold no links."""
    return FENCED.sub("", path.read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as they are made where Markdown is shown."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(prose(path)):
        text = LINK.sub(r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def broken(path: Path) -> Iterator[str]:
    """Yield each link of a document that leads nowhere."""
    for _, target in LINK.findall(prose(path)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name) if name else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            yield target


@cache
def known_tests() -> frozenset[str]:
    places = [ROOT / "tests", ROOT / "src" / "stagewright" / "testing"]
    files = (file for place in places for file in place.rglob("*.py"))
    return frozenset(name for file in files for name in DEFINED.findall(file.read_text("utf-8")))


def misplaced(path: Path) -> Iterator[str]:
    """Yield each link that is named for a test which its file does not define."""
    for text, target in LINK.findall(prose(path)):
        for name in TEST.findall(text):
            place = path.parent / target
            if not place.is_file() or name not in DEFINED.findall(place.read_text("utf-8")):
                yield f"{name} in {target}"


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    assert list(broken(path)) == []


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_test_that_a_document_names_exists(path: Path) -> None:
    assert set(TEST.findall(prose(path))) <= known_tests()
    assert list(misplaced(path)) == []


def test_every_page_is_listed_where_readers_begin() -> None:
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text("utf-8")
    listed = {(docs / target).resolve() for _, target in LINK.findall(index) if "://" not in target}
    pages = {
        path for path in documents() if path.is_relative_to(docs) and path.parent.name != "adr"
    }
    assert pages - listed == {docs / "README.md"}


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` & c\n[1](#a-b--c) [2](page.md#gone) [3](gone.md)\n```\n[4](x.md)\n```")
    assert list(broken(page)) == ["page.md#gone", "gone.md"]


def test_a_test_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page, module = tmp_path / "page.md", tmp_path / "test_it.py"
    module.write_text("def test_one() -> None: ...")
    page.write_text("[`test_one`](test_it.py) [`test_two`](test_it.py)")
    assert list(misplaced(page)) == ["test_two in test_it.py"]
