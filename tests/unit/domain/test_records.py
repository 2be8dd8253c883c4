"""Canonical JSON of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

import orjson
import pytest

from stagewright.domain.records import Codec, but, encode, kept, record, tag_of
from stagewright.domain.workflow import StageRecord, Status, TaskWait


@record
class Leaf:
    kind: ClassVar[str] = "leaf"
    size: int = 0


@record
class Stone:
    kind: ClassVar[str] = "stone"
    weight: float = 1.5


@record
class Tree:
    name: str
    status: Status = Status.RUNNING
    parts: tuple[Leaf | Stone, ...] = ()
    crown: Leaf | None = None
    marks: Mapping[str, int] = field(default_factory=dict)
    by_name: Mapping[str, Leaf] = field(default_factory=dict)
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


def test_keys_are_sorted_and_members_of_unions_carry_their_tag() -> None:
    assert encode(FULL) == (
        b'{"anything":[1,{"y":[true],"z":null}],"by_name":{"x":{"kind":"leaf","size":1}},'
        b'"crown":{"kind":"leaf","size":7},"marks":{"a":2,"b":1},"mixed":"text","name":"oak",'
        b'"parts":[{"kind":"leaf","size":2},{"kind":"stone","weight":2.5},{"kind":"leaf"}],'
        b'"status":"paused"}'
    )


@pytest.mark.parametrize("tree", [Tree("oak"), FULL], ids=["least", "full"])
def test_what_was_encoded_decodes_to_an_equal_record(tree: Tree) -> None:
    decoded = Codec(Tree).decode(orjson.loads(encode(tree)))
    assert decoded == tree
    assert isinstance(decoded.status, Status)
    assert encode(decoded) == encode(tree)


def test_null_is_kept_where_it_is_not_the_default() -> None:
    assert Codec(Leaf).decode({"size": None}) == Leaf(None)  # type: ignore[arg-type]
    assert encode(Leaf(None)) == b'{"kind":"leaf","size":null}'  # type: ignore[arg-type]


def test_a_field_that_is_unknown_or_missing_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        Codec(Tree).decode({"name": "oak", "colour": "green"})
    with pytest.raises(TypeError, match="name"):
        Codec(Tree).decode({})


def test_a_copy_with_changes_leaves_the_original_alone() -> None:
    changed = but(FULL, name="elm")
    assert (changed.name, changed.parts) == ("elm", FULL.parts)
    assert FULL.name == "oak"


def test_a_kept_record_is_encoded_once() -> None:
    @kept
    @record
    class Ring:
        year: int
        notes: Any = None

    ring = Ring(1999, Leaf(1))
    first = encode([ring])
    ring.__dict__["year"] = 2000  # what nobody may do; here it shows that the bytes are kept
    assert encode([ring]) == first == b'[{"notes":{"kind":"leaf","size":1},"year":1999}]'


def test_a_changed_copy_of_a_kept_record_is_encoded_anew() -> None:
    stage = StageRecord(visit=1)
    assert encode(stage) == b'{"visit":1}'
    assert encode(but(stage, visit=2)) == b'{"visit":2}'
    assert but(stage, visit=1) == stage


def test_a_tag_is_a_kind_or_a_type() -> None:
    assert (tag_of(TaskWait), tag_of(StageRecord)) == ("task", None)
