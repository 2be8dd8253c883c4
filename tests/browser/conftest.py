"""One browser for all, one server for each module, and a fresh profile for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.house import House, browser, context_of, house, watched


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
def page(chromium: Browser, there: House) -> Iterator[Page]:
    """A page on which no script may fail and nothing may be refused by its own policy."""
    context = context_of(chromium, there, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    wrong = watched(opened)
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture
def folder(there: House) -> Path:
    return there.folder
