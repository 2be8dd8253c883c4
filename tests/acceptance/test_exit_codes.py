"""What a command promises to scripts: its exit code, and JSON that can be read."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from stagewright.entrypoints.cli import main
from tests.processes import Place

FLOWS = """
from pydantic import BaseModel
from stagewright import AgentContext, Fatal, Workflow, agent, wait

class Part(BaseModel):
    number: int

@agent("polish")
async def polish(part: Part, ctx: AgentContext) -> Part:
    await ctx.log("polishing", number=part.number)
    return part

@agent("spoil")
async def spoil(part: Part) -> Part:
    raise Fatal("it broke in two")

polished = Workflow("polished", polish, input=Part)
spoiled = Workflow("spoiled", spoil, input=Part)
drying = Workflow("drying", wait("dry", for_s=3600))
"""
SEVEN = '{"number":7}'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("shop")
    place = Place(folder, f"sqlite:///{folder / 'state.db'}")
    place.write("flows.py", FLOWS)
    place.start("dev", "dev", "flows.py")
    yield place
    place.close()


@pytest.fixture(scope="module")
def drying(shop: Place) -> str:
    """A workflow that waits."""
    return shop.cli("workflow", "start", "drying").out.strip()


def run(name: str, *options: str) -> list[str]:
    return ["workflow", "start", name, "--input", SEVEN, *options]


ENDINGS = [
    (0, run("polished", "--wait"), ""),
    (1, run("spoiled", "--wait"), "failed in stage spoil: it broke in two."),
    (2, run("polished", "--color"), "No such option"),
    (2, ["workflow", "start", "polished", "--input", "nowhere.json"], "nowhere.json cannot be"),
    (3, run("polish"), "No definition 'polish'. Known: drying, polished, spoiled."),
    (3, ["workflow", "show", "p00-7"], "No workflow 'p00-7'."),
    (4, ["workflow", "resume", "ID"], "Workflow ID: it is not paused."),
    (4, ["workflow", "approve", "ID"], "Workflow ID: no approval waits."),
    (5, ["workflow", "start", "polished", "--input", '{"number":"x"}'], 'number: "x" is not of'),
    (5, ["workflow", "start", "polished", "--input", "{"], "is not JSON"),
    (6, run("polished", "--url", "redis://127.0.0.1:1/0"), "Redis does not answer"),
    (7, ["workflow", "watch", "ID", "--timeout", "0.1"], "Waiting for ID timed out"),
]


@pytest.mark.parametrize(("code", "command", "said"), ENDINGS)
def test_an_ending_has_its_code_and_says_why(
    shop: Place, drying: str, code: int, command: list[str], said: str
) -> None:
    words = [word.replace("ID", drying) for word in command]
    answer = shop.cli(*words, code=code)
    assert said.replace("ID", drying) in answer.err
    assert not code or not answer.out or "watch" in words


def test_with_json_an_error_is_a_problem_document(shop: Place, drying: str) -> None:
    problem = shop.cli("workflow", "resume", drying, "--json", code=4).problem
    assert problem["type"] == "urn:stagewright:error:refused"
    assert problem["detail"] == f"Workflow {drying}: it is not paused."
    assert problem["remedy"] == f"See `stagewright workflow explain {drying}`."
    assert problem["exit_code"] == 4


def test_what_is_asked_for_as_json_can_be_read(
    shop: Place, drying: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = shop.cli(*run("polished", "--wait", "--json")).json
    assert (ended["status"], ended["output"]) == ("completed", {"number": 7})
    id_ = ended["workflow_id"]
    commands = [
        ["workflow", "list"], ["workflow", "show", id_], ["workflow", "watch", id_],
        ["workflow", "explain", id_], ["workflow", "log", id_], ["workflow", "log", id_, "--notes"],
        ["workflow", "replay", id_], ["workflow", "pause", drying], ["workflow", "resume", drying],
        ["definition", "list"], ["definition", "show", "polished"], ["dead-letter", "list"],
        ["definition", "check", str(shop.folder / "flows.py")], ["doctor"], ["config", "show"],
    ]  # fmt: skip
    monkeypatch.setenv("STAGEWRIGHT_URL", shop.url)
    for command in commands:
        assert main([*command, "--json"]) == 0
        shown = capsys.readouterr()
        assert [orjson.loads(line) for line in shown.out.splitlines()], command
        assert shown.err == "", command


def test_the_doctor_of_a_system_without_anybody_ends_with_code_one(place: Place) -> None:
    findings = {found["check"]: found for found in place.cli("doctor", "--json", code=1).json}
    assert findings["orchestrators"]["status"] == "failed"
    assert findings["orchestrators"]["remedy"] == "Run `stagewright serve` or `stagewright dev`."
    assert findings["backend"]["status"] == "ok"
