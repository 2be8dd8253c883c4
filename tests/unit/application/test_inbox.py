"""From what was received to what the kernel understands."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagewright.application.inbox import (
    MAX_ENVELOPE_BYTES,
    Refusal,
    Work,
    read_expired,
    read_message,
    read_timer,
    to_result,
)
from stagewright.domain.contracts import Contract
from stagewright.domain.ids import TaskId
from stagewright.domain.messages import Result, TaskExpired, TimerFired
from stagewright.domain.stage_result import BlobRef
from stagewright.ports.message_bus import DueTimer, InboxMessage
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord
from tests.unit.application.world import World, dumps, envelope
from tests.unit.domain.kernel import agent, approval

WORKFLOW = "p01-" + "0" * 32
TASK = f"{WORKFLOW}/build/1/1"


def claimed(task_id: str = TASK, token: int = 7) -> ClaimedTask:
    return ClaimedTask(task_id, token, "build@1.0", 2, b"", 0, 0, 0, 0)


def message(body: bytes, partition: int = 1) -> InboxMessage:
    return InboxMessage(partition, "5", body)


def read(body: bytes, partition: int = 1) -> Work:
    found = read_message(message(body, partition))
    assert isinstance(found, Work)
    return found


def refused(body: bytes, partition: int = 1) -> str:
    found = read_message(message(body, partition))
    assert isinstance(found, Refusal)
    return found.reason


def broken(good: bytes, path: str, value: Any) -> bytes:
    """The envelope with one field made wrong."""
    body = orjson.loads(good)
    holder = body["data"] if path.startswith("data.") else body
    holder[path.removeprefix("data.")] = value
    return dumps(body)


def test_a_result_is_read_with_its_task_and_token() -> None:
    item = read(envelope(claimed(), {"n": 1}))
    assert (item.workflow_id, item.stage) == (WORKFLOW, "build")
    assert item.fence == TaskLease(TASK, 7)
    assert item.cause.startswith("result ")
    assert item.result is not None
    assert item.result.value == {"n": 1}


def test_an_oversize_envelope_is_refused_unread() -> None:
    found = read_message(InboxMessage(1, "5", b"", oversize_bytes=10_000_000))
    assert isinstance(found, Refusal)
    assert found.reason == f"envelope of 10000000 bytes; at most {MAX_ENVELOPE_BYTES} are allowed"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Not acceptable JSON"),
        (b"{broken", "Not acceptable JSON"),
        (b"[" * 10_000 + b"]" * 10_000, "nesting"),
        (b'{"specversion":"0.3"}', "specversion"),
        (b"[1,2]", "body"),
    ],
)
def test_garbage_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    assert reason in refused(body)


def test_a_result_for_another_partition_is_refused() -> None:
    assert refused(envelope(claimed()), partition=0) == f"{WORKFLOW} is of another partition"


@pytest.mark.parametrize(
    ("path", "value"), [("data.status", "maybe"), ("data.errors", 7), ("time", "noon"), ("id", "")]
)
def test_a_broken_envelope_that_names_task_and_token_is_a_broken_contract(
    path: str, value: Any
) -> None:
    item = read(broken(envelope(claimed()), path, value))
    assert item.fence == TaskLease(TASK, 7)
    assert path in item.broken
    assert isinstance(item.message, Result)
    assert (item.message.task, item.message.success) == (TaskId.parse(TASK), False)
    assert item.message.violations[0]["path"] == path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("leasetoken", "7"),
        ("leasetoken", None),
        ("leasetoken", 2**64 - 1),
        ("leasetoken", -1),
        ("task", "nonsense"),
        ("task", 5),
        ("task", "elsewhere/build/1/1"),
        ("task", "p00-" + "0" * 32 + "/build/1/1"),
    ],
)
def test_a_broken_envelope_that_proves_nothing_is_refused(path: str, value: Any) -> None:
    assert path in refused(broken(envelope(claimed()), path, value))


def test_a_timer_names_its_stage() -> None:
    item = read_timer(DueTimer(WORKFLOW, "retry/build/1/2", 5))
    assert item.message == TimerFired("retry/build/1/2", 5)
    assert (item.cause, item.stage) == ("timer retry/build/1/2", "build")


def test_the_deadline_is_of_no_stage() -> None:
    assert read_timer(DueTimer(WORKFLOW, "deadline", 5)).stage is None


def record(lost: int, deadline_at_ms: int | None = 9_000) -> TaskRecord:
    return TaskRecord(TASK, "leased", "build@1.0", 2, 7, "w", 0, 0, 0, deadline_at_ms, lost)


def test_a_lost_lease_goes_back_to_its_lane() -> None:
    work, requeue = read_expired([record(lost=0), record(lost=1)], 1_000)
    assert work == []
    assert requeue == [TaskLease(TASK, 7)] * 2


def test_the_third_lost_lease_and_a_passed_deadline_end_the_attempt() -> None:
    work, requeue = read_expired([record(lost=2), record(0, deadline_at_ms=1_000)], 1_000)
    assert requeue == []
    task = TaskId.parse(TASK)
    assert [item.message for item in work] == [TaskExpired(task, False), TaskExpired(task, True)]
    assert {item.fence for item in work} == {TaskLease(TASK, 7)}
    assert {(item.stage, item.cause) for item in work} == {("build", f"expired {TASK}")}


NUMBER = Contract(name="build", output={"type": "object", "properties": {"n": {"type": "integer"}}})


async def checked(world: World, value: Any = None, **fields: Any) -> Result | str:
    """The result of a build, checked against its contract."""
    await world.register(agent("build"), approval("sign"), contracts=[NUMBER])
    compiled = await world.catalog.compiled(await world.catalog.resolve("job"))
    task_id = fields.pop("task_id", TASK)
    item = read(envelope(claimed(task_id), value, **fields))
    assert item.result is not None
    return to_result(item.result, compiled)


async def test_a_result_that_keeps_its_contract_passes(world: World) -> None:
    found = await checked(world, {"n": 1}, outcome="good", usage={"cost_usd": 0.5})
    assert found == Result(TaskId.parse(TASK), True, b'{"n":1}', "good", usage={"cost_usd": 0.5})


async def test_a_broken_contract_is_noticed_again_field_by_field(world: World) -> None:
    found = await checked(world, {"n": "one"})
    assert isinstance(found, Result)
    (wrong,) = found.violations
    assert (wrong["type"], wrong["path"]) == ("contract_violation", "n")


async def test_a_failure_has_no_output_to_check(world: World) -> None:
    errors = ({"type": "x", "message": "y"},)
    found = await checked(world, status="failure", errors=errors)
    assert found == Result(TaskId.parse(TASK), False, errors=errors)


async def test_a_big_output_is_not_checked_here(world: World) -> None:
    found = await checked(world, blob=BlobRef("0" * 64, 5))
    assert isinstance(found, Result)
    assert found.violations == ()


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("nowhere", "stage 'nowhere' is not in job"),
        ("sign", "stage 'sign' is no agent's: it is approval"),
    ],
)
async def test_a_result_of_what_is_no_agents_stage_belongs_to_nobody(
    world: World, stage: str, reason: str
) -> None:
    assert await checked(world, task_id=f"{WORKFLOW}/{stage}/1/1") == reason
