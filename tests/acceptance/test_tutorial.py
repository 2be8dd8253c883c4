"""The tutorial, followed to the letter."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from stagewright.entrypoints.cli import main
from stagewright.sync import Stagewright
from tests.acceptance.documents import blocks
from tests.processes import Member, Place, until

GROUPS = {"workflow", "definition", "agent"}
TIDES = '{"about":"tides"}'


def steps() -> list[list[str]]:
    """The commands that the tutorial shows, without their remarks."""
    lines = "".join(blocks("docs/tutorial.md", "console")).splitlines()
    return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The project that the tutorial begins with."""
    folder = tmp_path_factory.mktemp("tutorial")
    Place(folder).cli("new", "hello")
    hello = Place(folder / "hello")
    yield hello
    hello.close()


@pytest.fixture(scope="module")
def dev(hello: Place) -> Member:
    """The terminal in which `stagewright dev .` stays open."""
    return hello.start("dev", "dev", ".")


def edit(hello: Place, dev: Member, text: str) -> None:
    """Save a file and wait until `dev` says what it thinks of it."""
    before = len(dev.log)
    hello.write("workflow.py", text)
    until(lambda: "loaded again" in dev.log[before:])


def outcomes(hello: Place, workflow_id: str) -> list[tuple[str, str]]:
    """Stages and their outcomes in the order in which they ended."""
    steps = hello.ask(lambda client: client.log(workflow_id)).records
    events = (event for step in steps for event in step["events"])
    return [(e["stage"], e["outcome"]) for e in events if e["type"] == "STAGE_COMPLETE"]


def test_every_command_that_is_shown_exists() -> None:
    commands = [words for words in steps() if words[0] == "stagewright"]
    assert len(commands) > 8
    for words in {tuple(words[1:3]) for words in commands}:
        known = [word for word in words if word.isalpha()]
        assert main([*known[: 2 if known[0] in GROUPS else 1], "--help"]) == 0


def test_the_new_project_starts_as_shown(dev: Member) -> None:
    shown = next(
        words for words in steps() if words[:4] == ["stagewright", "workflow", "start", "hello"]
    )
    assert shlex.split(dev.announced["start"]) == shown


def test_a_draft_that_is_too_short_is_written_again_and_then_people_decide(
    hello: Place, dev: Member
) -> None:
    article, sign_off = blocks("docs/tutorial.md", "python")
    edit(hello, dev, article)
    done = hello.cli("workflow", "start", "article", "--input", TIDES, "--wait", "--json").json
    rework = [("draft", "ok"), ("verdict", "rework"), ("draft", "ok"), ("verdict", "ok")]
    assert outcomes(hello, done["workflow_id"]) == rework
    edit(hello, dev, article + sign_off)
    workflow_id = hello.cli("workflow", "start", "article", "--input", TIDES).out.strip()
    with Stagewright(hello.url) as client:
        until(lambda: client.show(workflow_id).current_stage == "sign-off")
        assert (
            "waits for 1 approval of editors" in hello.cli("workflow", "explain", workflow_id).out
        )
        hello.cli(
            "workflow", "reject", workflow_id, "--as", "editors", "--comment", "Duller, please"
        )
        until(lambda: client.show(workflow_id).current_stage == "sign-off")
    hello.cli("workflow", "approve", workflow_id, "--as", "editors")
    assert hello.ask(lambda client: client.show(workflow_id)).status == "completed"
    ends = [("sign-off", "rejected"), ("draft", "ok"), ("verdict", "ok"), ("sign-off", "approved")]
    assert outcomes(hello, workflow_id) == rework + ends


def test_a_loop_without_its_bound_is_refused_and_the_last_good_load_goes_on(
    hello: Place, dev: Member
) -> None:
    article, _ = blocks("docs/tutorial.md", "python")
    edit(hello, dev, article)
    hello.write("workflow.py", article.replace(", max_visits=3", ""))
    until(lambda: "the last good load goes on" in dev.log)
    assert "The loop draft -> verdict -> draft has no bound." in dev.log
    assert "Set max_visits on one of its stages" in dev.log
    with Stagewright(hello.url) as client:
        workflow_id = client.start("article", {"about": "tides"}).workflow_id
        assert client.wait(workflow_id, timeout_s=20).status == "completed"


def test_the_same_file_runs_on_redis_in_many_processes(shared: Place) -> None:
    article, _ = blocks("docs/tutorial.md", "python")
    shared.write("workflow.py", article)
    shared.cli("definition", "register", "workflow.py")
    shared.start("serve", "serve")
    workflow_id = shared.cli("workflow", "start", "article", "--input", TIDES).out.strip()
    (reason,) = shared.cli("workflow", "explain", workflow_id, "--json").json["waiting"]
    assert reason["reason"].startswith("queued since ")
    assert reason["reason"].endswith(", no live agent of write@^1")
    shared.start("agents", "agent", "run", "workflow.py")
    assert shared.cli("workflow", "watch", workflow_id, "--timeout", "20")
