from __future__ import annotations

import dataclasses
import itertools
from contextlib import nullcontext

import pytest

from stagewright.domain.errors import (
    NotFound,
    TimedOut,
    Unreachable,
    UsageError,
    ValidationFailed,
)
from stagewright.entrypoints.client import patience
from stagewright.entrypoints.client.commands import Decision
from stagewright.entrypoints.client.queries import Filters
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import connection_of
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.ports.control import CommandRequest
from stagewright.ports.workflow_store import Query
from tests.unit.entrypoints.fakes import ID, FakeControl, fake_connection, letter, view


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def client(control: FakeControl) -> Stagewright:
    connection = fake_connection(control)
    return Stagewright.over(lambda: nullcontext(connection))


async def test_a_start_says_what_it_was_given(client: Stagewright, control: FakeControl) -> None:
    started = await client.start("release", {"a": 1}, key="k", priority=1, labels={"x": "y"})
    assert started.workflow_id == ID
    ((_, request),) = control.calls
    assert (request.input, request.key, request.priority) == ({"a": 1}, "k", 1)
    assert request.labels == {"x": "y"}


async def test_a_request_that_cannot_be_names_its_field(client: Stagewright) -> None:
    with pytest.raises(ValidationFailed, match="priority"):
        await client.start("release", priority=9)


async def test_every_command_says_its_kind_and_by_whom(
    client: Stagewright, control: FakeControl
) -> None:
    await client.pause(ID, by="ann", reason="lunch")
    await client.resume(ID, by="ann")
    await client.cancel(ID, by="ann", reason="enough")
    await client.retry(ID, by="ann", stage="build", input=3)
    await client.signal(ID, "paid", {"sum": 1}, by="ann")
    await client.approve(ID, by="ann", stage="gate", visit=2, groups=("ops",))
    await client.reject(ID, by="ann", reason="no")
    requests = [request for _, request in control.calls]
    kinds = "pause resume cancel retry signal approve reject"
    assert [request.kind for request in requests] == kinds.split()
    assert {request.by for request in requests} == {"ann"}
    assert (requests[3].stage, requests[3].data) == ("build", 3)
    assert (requests[4].name, requests[4].data) == ("paid", {"sum": 1})
    assert (requests[5].visit, requests[5].groups) == (2, ("ops",))


async def test_waiting_ends_with_the_workflow(client: Stagewright, control: FakeControl) -> None:
    control.endings = [view(), view(), view(status="failed", reason="no")]
    assert (await client.wait(ID)).status == "failed"
    assert len(control.calls) == 3


async def test_waiting_has_an_end(client: Stagewright) -> None:
    with pytest.raises(TimedOut, match=r"timed out after 0\.01 s.*workflow explain"):
        await client.wait(ID, timeout_s=0.01)


async def test_a_workflow_that_is_not_there_is_not_waited_for(client: Stagewright) -> None:
    with pytest.raises(NotFound):
        await client.wait("p00-nothing")


async def test_a_moment_without_an_answer_is_borne(
    client: Stagewright, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = control.show
    failures = itertools.chain([Unreachable("door")] * 3, itertools.repeat(None))

    async def sometimes(workflow_id: str) -> object:
        if (failure := next(failures)) is not None:
            raise failure
        return await show(workflow_id)

    monkeypatch.setattr(control, "show", sometimes)
    control.endings = [view(status="completed")]
    assert (await client.wait(ID)).status == "completed"


async def test_silence_is_not_borne_for_ever(
    client: Stagewright, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SILENCE_S", 0.0)
    control.refusal = Unreachable("door")
    with pytest.raises(Unreachable):
        await client.wait(ID)


async def test_filters_are_the_fields_of_a_query(client: Stagewright, control: FakeControl) -> None:
    await client.list(status="running", label=("a", "b"), limit=3)
    assert control.calls == [("list", Query(status="running", label=("a", "b"), limit=3))]
    with pytest.raises(UsageError, match="colour"):
        await client.list(colour="red")


def test_every_field_of_a_query_can_be_filtered_by() -> None:
    fields = {field.name for field in dataclasses.fields(Query)}
    assert set(Filters.__annotations__) == fields - {"bare"}, "a view of a bare row says nothing"


def test_all_that_a_decision_may_say_is_in_a_command() -> None:
    assert set(Decision.__annotations__) <= set(CommandRequest.model_fields)


async def test_views_come_through(client: Stagewright) -> None:
    assert (await client.explain(ID))[0].kind == "queued"
    assert (await client.log(ID, after=2, limit=5)).records
    assert (await client.system()).level == "full"
    assert (await client.replay(ID)).equal
    assert (await client.definitions())[0].name == "release"
    assert (await client.definition("release"))["name"] == "release"
    assert (await client.register({"name": "release"}, development=True)).version == "1.0.0"


async def test_a_dead_letter_that_is_gone_is_not_found(
    client: Stagewright, control: FakeControl
) -> None:
    control.letters = {"p01-7": letter()}
    assert (await client.dead_letters())[0].letter_id == "p01-7"
    assert await client.dead_letter("p01-7") == letter()
    await client.redrive("p01-7", b"{}")
    for gone in (client.dead_letter("p01-7"), client.discard("p01-7", reason="old")):
        with pytest.raises(NotFound, match="No dead letter"):
            await gone


async def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    with pytest.raises(UsageError, match="async with"):
        await Stagewright("memory://").system()


@pytest.mark.parametrize(
    ("definition", "contracts", "named"),
    [
        ({"name": "x"}, [], "stages"),
        ({"name": "x", "stages": [{"name": "a", "agent": "a", "colour": 1}]}, [], "colour"),
        ({"name": "x", "stages": [{"name": "a", "agent": "a"}]}, [{"name": "A"}], "name"),
    ],
)
async def test_what_cannot_be_registered_is_named_without_a_door_too(
    definition: dict[str, object], contracts: list[dict[str, object]], named: str
) -> None:
    async with opened(Settings(url="memory://")) as container:
        connection = connection_of(container.control())
        client = Stagewright.over(lambda: nullcontext(connection))
        with pytest.raises(ValidationFailed, match=named):
            await client.register(definition, contracts=contracts)
