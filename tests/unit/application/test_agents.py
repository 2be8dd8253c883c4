from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from stagewright.application.agents import Agent, AgentError, Fatal, Labelled, agent, outcome
from stagewright.domain.errors import ConfigurationError, StagewrightError


class Request(BaseModel):
    name: str
    count: int = 1


class Review(BaseModel):
    findings: list[str]


@agent("review", version="1.2.0", outcomes=("rework",))
async def review(task: Request, ctx: Any) -> Review | Labelled[Review]:
    """Read the code and judge it.

    More about it.
    """
    found = Review(findings=[task.name])
    return outcome("rework", found) if ctx else found


def test_an_agent_stays_callable_as_the_plain_function() -> None:
    request = Request(name="x")
    assert asyncio.run(review(request, None)) == Review(findings=["x"])
    assert asyncio.run(review(request, "ctx")) == Labelled("rework", Review(findings=["x"]))
    assert review.__name__ == "review"
    assert review.__wrapped__ is review.function


def test_the_contract_comes_from_the_types() -> None:
    contract = review.contract
    assert (review.name, review.version) == (contract.name, contract.version) == ("review", "1.2.0")
    assert contract.outcomes == ("rework",)
    assert contract.description == "Read the code and judge it."
    assert contract.input["required"] == ["name"]
    assert contract.output["properties"]["findings"]["type"] == "array"
    assert repr(review) == "<agent review 1.2.0>"


def test_input_is_described_as_accepted_and_output_as_written() -> None:
    @agent("echo")
    def echo(task: Request) -> Request:
        return task

    assert echo.contract.input["required"] == ["name"]
    assert echo.contract.output["properties"]["count"]["default"] == 1
    assert echo.version == "1.0.0"


def test_a_label_is_no_part_of_the_output_type() -> None:
    @agent("one")
    async def one(task: str) -> Labelled[int]:
        return outcome("big", len(task))

    @agent("two")
    async def two(task: str) -> Labelled:  # type: ignore[type-arg]
        return outcome("big", task)

    @agent("three")
    async def three(task: str) -> int | str | Labelled[int]:
        return outcome("big", len(task))

    assert one.contract.output == {"type": "integer"}
    assert two.contract.output == {}
    assert three.contract.output == {"anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_what_is_not_annotated_is_any_json_value() -> None:
    @agent("free")
    def free(task, ctx):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return task, ctx

    assert free.contract.input == {}
    assert free.contract.output == {}
    assert not free.is_async
    assert free.takes_context


def test_types_of_the_surrounding_scope_are_found() -> None:
    class Local(BaseModel):
        x: int

    @dataclass
    class Point:
        x: int

    class Row(TypedDict):
        x: int

    @agent("local")
    async def local(task: Local) -> Point:
        return Point(task.x)

    @agent("row")
    async def row(task: Row) -> dict[str, int]:
        return dict(task)  # type: ignore[arg-type]

    assert local.contract.input["properties"] == local.contract.output["properties"]
    assert row.contract.input["properties"] == {"x": {"title": "X", "type": "integer"}}


def test_the_type_of_the_context_need_not_be_importable() -> None:
    @agent("lazy")
    async def lazy(task: int, _: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
        return task

    assert lazy.takes_context


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"agent lost: .*'_' names 'Missing'"):

        @agent("lost")
        async def lost(_: Missing) -> int:  # type: ignore[name-defined]  # noqa: F821
            return 1


def test_a_type_that_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"agent odd: its input type .* Use pydantic"):

        @agent("odd")
        async def odd(_: asyncio.Event) -> int:
            return 1


def _no_parameter() -> None: ...
def _three(a: int, b: int, c: int) -> None: ...
def _keyword(task: int, *, ctx: Any) -> None: ...
def _many(*tasks: int) -> None: ...
def _generator(task: int) -> Any:
    yield task


async def _stream(task: int) -> Any:
    yield task


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_no_parameter, r"f\(task\) or f\(task, ctx\)"),
        (_three, r"f\(task\) or f\(task, ctx\)"),
        (_keyword, r"f\(task\) or f\(task, ctx\)"),
        (_many, r"f\(task\) or f\(task, ctx\)"),
        (_generator, "stream with ctx.delta"),
        (_stream, "stream with ctx.delta"),
    ],
)
def test_what_cannot_be_an_agent_is_refused_with_a_remedy(function: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"agent x: .*{message}"):
        agent("x")(function)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "No Name"}, "name"),
        ({"version": "1.0"}, "version"),
        ({"outcomes": ["Bad label"]}, "outcomes.0"),
    ],
)
def test_a_wrong_name_version_or_outcome_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"agent [^:]+: {field}: "):
        agent(changes.pop("name", "fine"), **changes)(lambda task: task)


def test_an_object_with_an_asynchronous_call_is_an_agent() -> None:
    class Caller:
        async def __call__(self, task: int) -> int:
            return task + 1

    made: Agent[..., Any] = agent("caller")(Caller())
    assert made.is_async
    assert asyncio.run(made(1)) == 2


def test_an_agent_stands_in_a_workflow_as_a_stage_of_its_name() -> None:
    built = review.on(rework="complete")
    assert built.data() == {
        "name": "review",
        "agent": "review@^1.2",
        "on": {"rework": "complete"},
    }
    assert repr(review.output) == repr(review.on().output)


def test_errors_of_agents_are_ours_and_carry_details() -> None:
    failed = AgentError("rate_limited", "try later", retry_after_s=3)
    assert isinstance(failed, StagewrightError)
    assert (failed.type, failed.message, failed.final) == ("rate_limited", "try later", False)
    assert failed.details == {"retry_after_s": 3}
    assert AgentError("short").message == "short"


def test_a_fatal_error_is_final() -> None:
    assert Fatal("no such branch").final
    assert Fatal("no such branch").type == "Fatal"
    assert Fatal("no such branch", type_="git").type == "git"
