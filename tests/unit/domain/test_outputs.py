"""Outputs: raw as stored, parsed when looked into."""

from __future__ import annotations

import pytest

from stagewright.domain.outputs import OutputMissing, Outputs, stored_blob
from stagewright.domain.stage_result import BlobRef
from tests.unit.domain.kernel import dumps

FIRST, SECOND = BlobRef("1" * 64, 10), BlobRef("2" * 64, 10)


def test_what_is_not_there_is_null() -> None:
    outputs = Outputs()
    assert (outputs.raw("a/1"), outputs.raw(None)) == (b"null", b"null")
    assert (outputs.value("a/1"), outputs.value(None)) == (None, None)


def test_a_value_is_parsed_once() -> None:
    outputs = Outputs({"a/1": b'{"n":1}'})
    assert outputs.value("a/1") == {"n": 1}
    assert outputs.value("a/1") is outputs.value("a/1")


def test_what_a_lost_decision_left_is_replaced() -> None:
    outputs = Outputs()
    outputs.add("a/1", b"1")
    assert outputs.value("a/1") == 1
    outputs.add("a/1", b"2")
    assert (outputs.raw("a/1"), outputs.value("a/1")) == (b"2", 2)


def test_adding_the_same_again_keeps_what_was_parsed() -> None:
    outputs = Outputs({"a/1": b"[1]"})
    value = outputs.value("a/1")
    outputs.add("a/1", b"[1]")
    assert outputs.value("a/1") is value


def test_a_big_output_must_be_supplied_before_it_is_looked_into() -> None:
    outputs = Outputs({"a/1": dumps(FIRST.to_json())})
    with pytest.raises(OutputMissing, match="output a/1 lies in blob 1111") as missing:
        outputs.value("a/1")
    assert (missing.value.key, missing.value.blob) == ("a/1", FIRST)
    outputs.supply(FIRST, b'{"n":1}')
    assert outputs.value("a/1") == {"n": 1}
    assert outputs.raw("a/1") == dumps(FIRST.to_json())


def test_another_version_of_a_big_output_is_not_taken_for_the_first() -> None:
    outputs = Outputs()
    outputs.add("a/1", dumps(FIRST.to_json()))
    outputs.supply(FIRST, b"1")
    assert outputs.value("a/1") == 1
    outputs.add("a/1", dumps(SECOND.to_json()))
    with pytest.raises(OutputMissing):
        outputs.value("a/1")


def test_only_a_reference_is_a_reference() -> None:
    assert stored_blob(dumps(FIRST.to_json())) == FIRST
    assert stored_blob(b'{"n":1}') is None


def test_everything_is_there_as_stored() -> None:
    outputs = Outputs({"a/1": b"1"})
    outputs.add("b/1", b"2")
    assert outputs.all_raw() == {"a/1": b"1", "b/1": b"2"}
