from __future__ import annotations

import asyncio
import re
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from stagewright.application import subprocess_events
from stagewright.application.agents import Agent
from stagewright.application.subprocess_agent import subprocess_agent
from stagewright.domain.errors import ConfigurationError
from stagewright.testing.contracts.harness import at_once
from tests.unit.application.runners import WORKFLOW, World, errors_of, opened

PRELUDE = """
import json, os, sys, time
task = json.loads(sys.stdin.readline())
def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)
"""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as one:
        yield one


def script(source: str, **options: Any) -> Agent[..., Any]:
    """An agent that runs a Python script."""
    command = [sys.executable, "-S", "-c", PRELUDE + textwrap.dedent(source)]
    return subprocess_agent("build", command=command, **options)


async def done(world: World, made: Agent[..., Any], value: Any = None, **task: Any) -> Any:
    await world.queue(value, **task)
    async with world.runner(made):
        return await world.result()


async def failure(world: World, source: str, **options: Any) -> tuple[str, str]:
    """Type and message of what a script fails with."""
    result = await done(world, script(source, **options))
    assert result.status == "failure"
    return result.errors[0]["type"], result.errors[0]["message"]


async def test_a_command_gets_its_task_and_gives_a_result(world: World) -> None:
    said = [{"stage": "e2e", "visit": 1, "outcome": "rework", "errors": [], "output": 1}]
    made = script('say("result", output=task, outcome="rework", usage={"input_tokens": 7})',
                  outcomes=["rework"])  # fmt: skip
    result = await done(world, made, {"n": 1}, feedback=said)
    assert result.outcome == "rework"
    assert result.value == {
        "workflow_id": WORKFLOW, "stage": "build", "visit": 1, "attempt": 1,
        "idempotency_key": f"{WORKFLOW}/build/1", "traceparent": None,
        "input": {"n": 1}, "feedback": said,
    }  # fmt: skip
    assert result.usage["input_tokens"] == 7


async def test_events_are_told_as_an_agent_would(world: World, tmp_path: Path) -> None:
    made = script(f"""
        os.chdir({str(tmp_path)!r})
        open("report", "w").write("fine")
        say("log", message="working", level="debug", fields={{"n": 1}})
        say("tool_call", name="ruff", call="c1", arguments=["."])
        say("tool_result", call="c1", result=0)
        say("tool_result", call="c2", error="lost")
        say("artifact", name="report", path=os.path.abspath("report"))
        say("delta", text="some")
        print("   ", flush=True)
        say("result", output=None)
    """)
    assert (await done(world, made)).status == "success"
    log, call, answer, lost, artifact = await world.notes()
    assert (log["message"], log["level"]) == ("working", "debug")
    assert answer["call"] == call["call"] != "c1"
    assert lost["error"] == "lost"
    assert (artifact["name"], artifact["bytes"]) == ("report", 4)


async def test_standard_error_is_log(world: World) -> None:
    made = script(r"""
        sys.stderr.write("one\n\ntwo \xe9")
        say("result", output=1)
    """)
    assert (await done(world, made)).value == 1
    notes = [note for note in await world.notes() if note["fields"] == {"stream": "stderr"}]
    assert [note["message"] for note in notes] == ["one", "two \xe9"]


async def test_input_and_output_have_schemas(world: World) -> None:
    made = script('say("result", output="text")', input={"type": "integer"},
                  output={"type": "integer"})  # fmt: skip
    assert made.contract.input == {"type": "integer"}
    assert errors_of(await done(world, made, 5)) == [("contract_violation", "")]
    await world.queue("text", workflow="p01-" + "0" * 30 + "99")
    async with world.runner(made):
        assert errors_of(await world.result()) == [("input_invalid", "")]


async def test_the_environment_can_be_added_to(world: World) -> None:
    made = script('say("result", output=[os.environ["COLOUR"], "PATH" in os.environ])',
                  env={"COLOUR": "blue"})  # fmt: skip
    assert (await done(world, made)).value == ["blue", True]


async def test_a_reported_failure_is_a_failure(world: World) -> None:
    made = script("""
        errors = [{"type": "git", "message": "no branch", "final": True}]
        say("result", status="failure", errors=errors)
    """)
    assert (await done(world, made)).errors == (
        {"type": "git", "message": "no branch", "final": True},
    )


@pytest.mark.parametrize("errors", ["[]", "None", "[5]", "5"])
async def test_a_failure_without_reasons_is_one_all_the_same(world: World, errors: str) -> None:
    source = f'say("result", status="failure", errors={errors})'
    assert await failure(world, source) == ("failure", "it failed")


async def test_an_exit_code_is_a_failure_whatever_the_result_said(world: World) -> None:
    type_, message = await failure(world, 'say("result", output=1); sys.exit(3)')
    assert type_ == "exit_code"
    assert message.endswith("ended with code 3")


async def test_a_command_that_says_nothing_has_failed(world: World) -> None:
    assert await failure(world, "") == ("no_result", "the command ended without a result event")


async def test_a_command_that_does_not_exist_has_failed(world: World) -> None:
    result = await done(world, subprocess_agent("build", command=["/no/such/command"]))
    assert result.errors[0]["type"] == "not_started"


async def test_a_command_may_leave_its_task_unread(world: World) -> None:
    line = """import sys; print('{"event": "result", "output": 1}')"""
    made = subprocess_agent("build", command=[sys.executable, "-S", "-c", line])
    assert (await done(world, made, "x" * 50_000)).value == 1


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ('print("hello")', "a line that is no event"),
        ('print("[1]")', "no known event"),
        ('say("surprise")', "no known event"),
        ('say(["log"])', "no known event"),
        ('say("log")', "'log' without the text 'message'"),
        ('say("delta", text=5)', "'delta' without the text 'text'"),
        ('print(\'{"event": "log", "event": "log"}\')', "stands twice"),
        ('say("result"); say("log", message="more")', "more after its result"),
        ('say("result", outcome=5)', "an outcome that is no text"),
        ('say("result", usage=[1])', "a usage that is no object of numbers"),
        ('say("result", usage={"cost_usd": "1"})', "a usage that is no object of numbers"),
        ('say("artifact", name="a", path="/no/such/file")', "an artifact that cannot be read"),
    ],
)
async def test_what_is_not_understood_ends_the_command(
    world: World, source: str, complaint: str
) -> None:
    stays = "" if "result" in source else "\ntime.sleep(30)"
    type_, message = await failure(world, source + stays)
    assert type_ == "protocol"
    assert complaint in message


async def test_lines_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stagewright.application.subprocess_agent.MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr(subprocess_events, "MAX_LINE_BYTES", 1_000)
    type_, message = await failure(world, 'say("log", message="x" * 5_000); time.sleep(30)')
    assert (type_, message) == ("protocol", "the command wrote a line of more than 1000 bytes")


async def test_all_output_together_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess_events, "MAX_TOTAL_BYTES", 10_000)
    type_, message = await failure(world, 'while True: say("delta", text="x" * 400)')
    assert (type_, message) == ("protocol", "the command wrote more than 10000 bytes")


async def test_a_long_line_on_standard_error_is_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagewright.application.subprocess_agent.MAX_LINE_BYTES", 1_000)
    made = script('sys.stderr.write("x" * 5_000); sys.stderr.flush(); say("result", output=1)')
    assert (await done(world, made)).value == 1
    assert sum(len(note["message"]) for note in await world.notes()) == 5_000


STAY = """
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    open({path!r} + ".new", "w").write(f"{{os.getpid()}} {{child}}")
    os.rename({path!r} + ".new", {path!r})
"""


async def until(holds: Callable[[], bool]) -> None:
    """Wait in real time for what other processes do."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # nobody sets an event across processes
            await asyncio.sleep(0.005)


async def pids_in(path: Path) -> list[int]:
    await until(path.exists)
    return [int(word) for word in path.read_text().split()]  # noqa: ASYNC240  # a few bytes


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def gone(*pids: int) -> None:
    await until(lambda: not any(map(alive, pids)))


async def test_a_cancelled_command_goes_with_all_it_started(world: World, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    made = script(STAY.format(path=str(path)) + "    time.sleep(60)\n")
    await world.queue(None)
    async with world.runner(made, lease_s=9.0):
        pids = await pids_in(path)
        assert all(map(alive, pids))
        world.calls.refuse = True
        await world.clock.advance(3)
        await gone(*pids)
    assert world.calls.completes == []


async def test_a_command_that_ignores_the_request_to_end_is_killed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagewright.application.subprocess_agent.TERM_GRACE_S", 0.05)
    path = tmp_path / "pids"
    deaf = "    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    made = script(deaf + STAY.format(path=str(path)) + "    time.sleep(60)\n")
    await world.queue(None)
    async with world.runner(made, lease_s=9.0):
        pids = await pids_in(path)
        world.calls.refuse = True
        await world.clock.advance(3)
        await gone(*pids)


async def test_what_a_command_leaves_behind_is_killed(world: World, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    made = script(STAY.format(path=str(path)) + '    say("result", output=1)\n')
    assert (await at_once(done(world, made))).value == 1
    await gone(*await pids_in(path))


HOST = """
import asyncio, sys
from stagewright.application.subprocess_agent import _started
async def main():
    child = await _started((sys.executable, "-S", "-c", "import time; time.sleep(60)"), {})
    print(child.pipes.get_pid(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_command_dies_with_its_runner_even_when_that_is_killed() -> None:
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, stdout=asyncio.subprocess.PIPE
    )
    assert host.stdout is not None
    pid = int(await at_once(host.stdout.readline()))
    assert alive(pid)
    host.kill()
    await host.wait()
    await gone(pid)


@pytest.mark.parametrize("command", [[], "echo hello"])
def test_a_command_is_a_list_of_words(command: Any) -> None:
    with pytest.raises(ConfigurationError, match="agent build: command must be a list"):
        subprocess_agent("build", command=command)


async def test_the_example_of_the_reference_counts_words(world: World) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "subprocess-agents.md"
    block = re.search(r"```python count.py\n(.*?)```", page.read_text(), re.DOTALL)
    assert block is not None
    made = subprocess_agent("build", command=[sys.executable, "-S", "-c", block.group(1)])
    assert (await done(world, made, {"text": "one two three"})).value == 3
    assert [note["message"] for note in await world.notes()] == ["counting"]


def test_a_broken_schema_names_the_agent() -> None:
    with pytest.raises(ConfigurationError, match="agent build: schema: "):
        subprocess_agent("build", command=["x"], input={"type": "nonsense"})
