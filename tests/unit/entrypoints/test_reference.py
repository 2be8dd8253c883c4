"""The reference says what commands and settings are, and stays true."""

from __future__ import annotations

import pytest

from stagewright.adapters.http.problems import every_error
from tools.write_reference import EXIT_CODES, PAGES, REFERENCE
from tools.write_sync_stub import STUB, stub


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    written = (REFERENCE / name).read_text()
    assert written == PAGES[name](), "run tools/write_reference.py"


def test_type_checkers_see_the_synchronous_client_as_it_is() -> None:
    assert STUB.read_text() == stub(), "run tools/write_sync_stub.py"


def test_every_exit_code_is_explained() -> None:
    assert {kind.exit_code for kind in every_error()} | {0} == set(EXIT_CODES)
