"""Canonical JSON of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from stagewright.domain.events import StageComplete, StepRecord, TaskAssigned, encode_step
from stagewright.domain.records import Codec, Record, Unreadable, as_dict, but, encode
from stagewright.domain.snapshot import encode_state
from stagewright.domain.workflow import (
    ApprovalWait,
    GroupWait,
    HeldWait,
    RetryWait,
    SignalWait,
    StageRecord,
    Status,
    TaskWait,
    TimerWait,
    WorkflowState,
)


class Leaf(Record, frozen=True, tag_field="kind", tag="leaf"):
    size: int = 0


class Stone(Record, frozen=True, tag_field="kind", tag="stone"):
    weight: float = 1.5


class Tree(Record, frozen=True):
    name: str
    status: Status = Status.RUNNING
    parts: tuple[Leaf | Stone, ...] = ()
    crown: Leaf | None = None
    marks: Mapping[str, int] = {}
    by_name: Mapping[str, Leaf] = {}
    anything: Any = None
    mixed: int | str = 0


FULL = Tree(
    "oak",
    Status.PAUSED,
    (Leaf(2), Stone(2.5), Leaf()),
    Leaf(7),
    {"b": 1, "a": 2},
    {"x": Leaf(1)},
    [1, {"z": None, "y": [True]}],
    "text",
)


def test_what_holds_its_default_is_left_out() -> None:
    assert encode(Tree("oak")) == b'{"name":"oak"}'


def test_fields_keep_their_order_keys_are_sorted_and_members_of_unions_carry_their_tag() -> None:
    assert encode(FULL) == (
        b'{"name":"oak","status":"paused","parts":[{"kind":"leaf","size":2},'
        b'{"kind":"stone","weight":2.5},{"kind":"leaf"}],"crown":{"kind":"leaf","size":7},'
        b'"marks":{"a":2,"b":1},"by_name":{"x":{"kind":"leaf","size":1}},'
        b'"anything":[1,{"y":[true],"z":null}],"mixed":"text"}'
    )


@pytest.mark.parametrize("tree", [Tree("oak"), FULL], ids=["least", "full"])
def test_what_was_encoded_decodes_to_an_equal_record(tree: Tree) -> None:
    decoded = Codec(Tree).decode(encode(tree))
    assert decoded == tree
    assert isinstance(decoded.status, Status)
    assert encode(decoded) == encode(tree)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"name":"oak","colour":"green"}', "colour"),
        (b"{}", "name"),
        (b'{"name":7}', "name"),
        (b'{"name":"oak","parts":[{"kind":"cloud"}]}', "cloud"),
        (b'{"name":', "truncated"),
    ],
    ids=["unknown field", "missing field", "wrong type", "unknown tag", "no JSON"],
)
def test_what_is_no_such_record_is_an_error_that_names_the_place(body: bytes, named: str) -> None:
    with pytest.raises(Unreadable, match=named):
        Codec(Tree).decode(body)


def test_a_record_never_changes() -> None:
    with pytest.raises(AttributeError):
        FULL.name = "elm"  # type: ignore[misc]


def test_a_copy_with_changes_leaves_the_original_alone() -> None:
    changed = but(FULL, name="elm")
    assert (changed.name, changed.parts) == ("elm", FULL.parts)
    assert FULL.name == "oak"


def test_records_that_were_made_without_a_mapping_do_not_share_one() -> None:
    assert Tree("a").marks is not Tree("b").marks


def test_the_fields_of_a_record_can_be_had_by_name() -> None:
    assert as_dict(Leaf(3)) == {"size": 3}


@pytest.mark.parametrize(
    "kind", [ApprovalWait, GroupWait, HeldWait, RetryWait, SignalWait, TaskWait, TimerWait]
)
def test_a_wait_is_stored_under_the_kind_that_it_says(kind: Any) -> None:
    tag: ClassVar[str] = kind.__struct_config__.tag
    assert tag == kind.kind


def test_the_stored_form_of_a_workflow_and_of_a_step_stays_as_it_is() -> None:
    """Logs are compared with snapshots byte for byte: fields keep their order, new ones go last."""
    state = WorkflowState(
        workflow_id="p00-1", definition="d", name="job", version="1.0.0", status=Status.RUNNING,
        created_at_ms=1, updated_at_ms=2, priority=2, step=3, step_id="s", body_hash="h",
        labels={"b": "2", "a": "1"}, stages={"a": StageRecord(visit=1, attempt=1, source="input")},
        regions={"": "a"}, awaiting={"a": TaskWait(1, 1, 2, "a@1.0", 2, 60.0)},
    )  # fmt: skip
    assert encode_state(state) == (
        b'{"workflow_id":"p00-1","definition":"d","name":"job","version":"1.0.0",'
        b'"status":"running","created_at_ms":1,"updated_at_ms":2,"priority":2,"step":3,'
        b'"step_id":"s","body_hash":"h","labels":{"a":"1","b":"2"},'
        b'"stages":{"a":{"visit":1,"attempt":1,"source":"input"}},"regions":{"":"a"},'
        b'"awaiting":{"a":{"kind":"task","visit":1,"attempt":1,"since_ms":2,"lane":"a@1.0",'
        b'"priority":2,"timeout_s":60.0}}}'
    )
    ended = StageComplete("", "a", 1, "ok", "b", 1, "a/1")
    begun = TaskAssigned("", "b", 1, 1, "a/1", "b@1.0", 2, 60.0)
    assert encode_step(StepRecord(3, "s", 2, "result r", (ended, begun))) == (
        b'{"n":3,"id":"s","at_ms":2,"cause":"result r","events":[{"type":"STAGE_COMPLETE",'
        b'"region":"","stage":"a","visit":1,"outcome":"ok","to":"b","attempt":1,"output":"a/1"},'
        b'{"type":"TASK_ASSIGNED","region":"","stage":"b","visit":1,"attempt":1,"source":"a/1",'
        b'"lane":"b@1.0","priority":2,"timeout_s":60.0}]}'
    )
