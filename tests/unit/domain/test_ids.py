"""Identities that carry meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagewright.domain.ids import (
    TaskId,
    keyed_workflow_id,
    output_key,
    partition_of,
    unkeyed_workflow_id,
    workflow_id,
    workflow_of,
)


def test_a_task_id_is_read_as_it_was_written() -> None:
    task = TaskId("p07-abc", "build", 2, 3)
    assert str(task) == "p07-abc/build/2/3"
    assert TaskId.parse(str(task)) == task


@pytest.mark.parametrize("text", ["", "a/b/1", "a/b/1/2/3", "a/b/x/1"])
def test_what_is_no_task_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever int or unpacking say
        TaskId.parse(text)


def test_a_workflow_id_names_its_partition_first() -> None:
    assert workflow_id(7, "0" * 32) == "p07-" + "0" * 32
    assert partition_of(workflow_id(7, "0" * 32)) == 7
    assert partition_of(workflow_id(123, "0" * 32)) == 123


@pytest.mark.parametrize("text", ["", "x07-abc", "p07", "pab-c", "07-abc"])
def test_an_id_that_names_no_partition_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        partition_of(text)


def test_the_same_key_of_a_definition_gives_the_same_id() -> None:
    ids = {keyed_workflow_id("job", "order-7", 16) for _ in range(3)}
    assert len(ids) == 1
    others = {
        keyed_workflow_id("job", "order-8", 16),
        keyed_workflow_id("other", "order-7", 16),
        keyed_workflow_id("jo", "border-7", 16),
    }
    assert len(others | ids) == 4


@given(st.text(), st.text(), st.integers(1, 256))
def test_keyed_ids_stay_within_the_partitions(name: str, key: str, partitions: int) -> None:
    assert 0 <= partition_of(keyed_workflow_id(name, key, partitions)) < partitions


def test_ids_are_spread_over_the_partitions() -> None:
    keyed = {partition_of(keyed_workflow_id("job", str(n), 8)) for n in range(200)}
    unkeyed = {partition_of(unkeyed_workflow_id(f"{n * 7919:032x}", 8)) for n in range(200)}
    assert keyed == unkeyed == set(range(8))


def test_a_task_id_begins_with_its_workflow() -> None:
    assert workflow_of("p07-abc/build/2/3") == "p07-abc"


def test_an_output_is_kept_under_stage_and_visit() -> None:
    assert output_key("build", 2) == "build/2"
