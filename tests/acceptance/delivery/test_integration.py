"""Branches come into main once, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.delivery.errors import MergeBroken, MergeConflict
from examples.delivery.repository import Repository
from examples.delivery.request import DeliveryRequest, Endpoint
from tests.acceptance.delivery.driver import Delivery, shipped

pytestmark = pytest.mark.usefixtures("home")


async def scaffolded(request: DeliveryRequest) -> tuple[Delivery, str]:
    """A delivery whose service is written but not reviewed, which integration does not mind."""
    delivery = Delivery(request)
    await delivery.initialize()
    return delivery, (await delivery.scaffold()).commit


def leftovers(home: Path) -> list[str]:
    return [path.name for path in (home / "attempts").rglob("*")]


async def test_two_requests_on_one_repository_conflict_in_the_files_both_wrote(home: Path) -> None:
    formal, formal_commit = await scaffolded(shipped("greeter-formal"))
    casual, casual_commit = await scaffolded(shipped("greeter-casual"))
    merged = await formal.integrate(formal_commit)
    with pytest.raises(MergeConflict) as conflict:
        await casual.integrate(casual_commit)
    assert "greeter/endpoints.py" in conflict.value.files
    assert "greeter/server.py" not in conflict.value.files
    assert conflict.value.final
    assert formal.repository.head() == merged.commit, "main is as it was"
    assert leftovers(home) == []


async def test_a_request_that_starts_after_another_was_merged_does_not_conflict() -> None:
    formal, formal_commit = await scaffolded(shipped("greeter-formal"))
    await formal.integrate(formal_commit)
    casual, casual_commit = await scaffolded(shipped("greeter-casual"))
    merged = await casual.integrate(casual_commit)
    assert "greeter/endpoints.py" in merged.files


async def test_a_merge_that_was_done_is_not_done_again() -> None:
    delivery, commit = await scaffolded(shipped("greeter-formal"))
    first = await delivery.integrate(commit)
    delivery.visits["integration"] = 0  # a second attempt at the same visit
    assert await delivery.integrate(commit, attempt=2) == first
    assert delivery.repository.head() == first.commit


async def test_the_same_request_again_has_nothing_to_merge() -> None:
    first, commit = await scaffolded(shipped("greeter-formal"))
    merged = await first.integrate(commit)
    second, same = await scaffolded(shipped("greeter-formal"))
    assert same == merged.commit
    assert (await second.integrate(same)).files == ()


async def test_main_that_moved_elsewhere_is_merged_and_tested(tmp_path: Path) -> None:
    delivery, commit = await scaffolded(shipped("greeter-formal"))
    push(delivery.repository, tmp_path, {"NOTES.md": "Somebody else was here.\n"})
    merged = await delivery.integrate(commit)
    delivery.repository.export(merged.commit, tmp_path / "out")
    assert (tmp_path / "out" / "NOTES.md").exists()
    assert (tmp_path / "out" / "greeter" / "app.py").exists()


async def test_a_merge_without_conflict_that_breaks_the_tests_stays_out(tmp_path: Path) -> None:
    delivery, commit = await scaffolded(shipped("greeter-formal"))
    breaking = {"tests/test_other.py": "def test_other() -> None:\n    assert not 'what we do'\n"}
    other = push(delivery.repository, tmp_path, breaking)
    with pytest.raises(MergeBroken, match="test_other"):
        await delivery.integrate(commit)
    assert delivery.repository.head() == other


async def test_main_that_moves_during_the_merge_is_merged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, commit = await scaffolded(shipped("greeter-formal"))
    advance, pushed = Repository.advance, []

    def late(self: Repository, branch: str, new: str, *, expected: str) -> bool:
        if not pushed:
            pushed.append(push(self, tmp_path, {"NOTES.md": "In between.\n"}))
        return advance(self, branch, new, expected=expected)

    monkeypatch.setattr(Repository, "advance", late)
    merged = await delivery.integrate(commit)
    assert delivery.repository.head() == merged.commit
    assert delivery.repository.holds("main", pushed[0])


async def test_the_branch_of_merged_work_is_gone(home: Path) -> None:
    hello = shipped("greeter-formal").model_copy(update={"endpoints": (Endpoint(path="/hi"),)})
    delivery, commit = await scaffolded(hello)
    assert delivery.repository.head(delivery.place.branch) == commit
    await delivery.integrate(commit)
    assert not delivery.repository.holds(delivery.place.branch, commit)
    assert leftovers(home) == []


def push(repository: Repository, folder: Path, files: dict[str, str]) -> str:
    """Commit files to main from somewhere else."""
    code = repository.add_worktree(folder / "elsewhere", repository.head())
    for name, text in files.items():
        (code / name).parent.mkdir(exist_ok=True)
        (code / name).write_text(text)
    commit = repository.commit_all(code, "Somebody else's work")
    repository.set_branch("main", commit)
    return commit
