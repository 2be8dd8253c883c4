"""The synchronous client has what the asynchronous one has, and does the same."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from stagewright import sync
from stagewright.domain.errors import NotFound, UsageError
from stagewright.entrypoints.client.stagewright import Stagewright


def public(kind: type) -> dict[str, inspect.Signature]:
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(member) for name, member in members if name[0] != "_"}


def test_every_method_is_there_with_the_same_signature() -> None:
    assert public(sync.Stagewright) == public(Stagewright)
    assert {"start", "wait", "explain", "approve", "dead_letters", "system"} <= set(
        public(sync.Stagewright)
    )


def test_its_methods_are_documented_and_not_asynchronous() -> None:
    for name in public(sync.Stagewright):
        method = getattr(sync.Stagewright, name)
        assert method.__doc__ == getattr(Stagewright, name).__doc__
        assert not inspect.iscoroutinefunction(method)
    assert "`with Stagewright(url)" in (sync.Stagewright.__doc__ or "")


def test_it_talks_to_a_database(tmp_path: Path) -> None:
    with sync.Stagewright(f"sqlite:///{tmp_path}/state.db") as sw:
        assert sw.system().durability == "process"
        assert list(sw.list().rows) == []
        with pytest.raises(NotFound):
            sw.show("p00-nothing")
        with pytest.raises(NotFound):
            list(sw.follow("p00-nothing"))


def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    with pytest.raises(UsageError, match="Write `with"):
        sync.Stagewright("memory://").system()


def test_a_place_that_cannot_be_reached_is_told_on_entering() -> None:
    with pytest.raises(UsageError, match="one process"), sync.Stagewright("memory://"):
        pass
