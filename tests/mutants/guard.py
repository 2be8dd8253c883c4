"""A pytest plugin for runs on a copy: it must be the copy that is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

import stagewright


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run with any other source than the one beside these tests."""
    imported = Path(str(stagewright.__file__)).resolve()
    if not imported.is_relative_to(config.rootpath.resolve()):
        msg = f"{imported} is imported, which is not below {config.rootpath}"
        raise pytest.UsageError(msg)
