from __future__ import annotations

from pathlib import Path

import pytest

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.addresses import (
    absolute_url,
    scheme_of,
    sqlite_path,
    unknown_scheme,
    without_secrets,
)


def test_three_slashes_are_relative_and_four_absolute() -> None:
    assert sqlite_path("sqlite:///a/b.db") == Path("a/b.db")
    assert sqlite_path("sqlite:////a/b.db") == Path("/a/b.db")
    assert absolute_url("sqlite:///b.db", Path("/base")) == "sqlite:////base/b.db"
    assert absolute_url("sqlite:////a/b.db", Path("/base")) == "sqlite:////a/b.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:////", "sqlite:b.db"])
def test_a_database_without_a_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="names no file"):
        absolute_url(url, Path("/base"))


def test_a_url_without_a_scheme_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="redis://"):
        scheme_of("state.db")


def test_an_unknown_scheme_is_told_the_known_ones() -> None:
    assert "mysql://" in str(unknown_scheme("mysql://ann:horse@host"))
    assert "memory://" in str(unknown_scheme("mysql://ann:horse@host"))
    assert "horse" not in str(unknown_scheme("mysql://ann:horse@host"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ann:horse@host:1/0", "redis://ann:***@host:1/0"),
        ("redis://:horse@host", "redis://:***@host"),
        ("redis://host/0?password=horse&db=1", "redis://host/0?password=***&db=1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_passwords_are_hidden(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
