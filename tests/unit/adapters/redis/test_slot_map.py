from __future__ import annotations

import pytest

from stagewright.adapters.redis.keys import PartitionKeys, beside
from stagewright.adapters.redis.slots import SlotMap, key_of, slot_of

ASKED = ("seed", 7000)
HALVES = [[0, 8_191, [b"one", 7001, b"id"]], [8_192, 16_383, [b"two", 7002, b"id"]]]


def test_nobody_serves_anything_before_somebody_was_asked() -> None:
    assert SlotMap().place(0) is None
    assert SlotMap().masters == []


def test_each_slot_has_the_master_that_is_named_first() -> None:
    slots = SlotMap()
    slots.replace([[*HALVES[0], [b"replica", 7003, b"id"]], HALVES[1]], ASKED)
    assert [slots.place(slot) for slot in (8_191, 8_192)] == [("one", 7001), ("two", 7002)]
    assert slots.masters == [("one", 7001), ("two", 7002)]


@pytest.mark.parametrize("host", [b"", None, b"?"])
def test_a_node_without_a_name_has_that_of_who_was_asked(host: bytes | None) -> None:
    slots = SlotMap()
    slots.replace([[0, 16_383, [host, 7001, b"id"]]], ASKED)
    assert slots.place(5) == ("seed", 7001)


def test_a_slot_that_moved_is_served_elsewhere_and_no_other_is() -> None:
    slots = SlotMap()
    slots.replace(HALVES, ASKED)
    slots.moved(5, ("two", 7002))
    assert (slots.place(5), slots.place(6)) == (("two", 7002), ("one", 7001))


def test_a_slot_that_nobody_serves_any_more_has_no_place() -> None:
    slots = SlotMap()
    slots.replace(HALVES, ASKED)
    slots.replace(HALVES[:1], ASKED)
    assert slots.place(16_383) is None


def test_a_call_goes_by_its_first_key_and_a_command_by_its_own() -> None:
    assert (
        key_of(("FCALL", "commit_1", 2, "sw:{p01}:marks", "sw:{p01}:tasks", 5)) == "sw:{p01}:marks"
    )
    assert key_of(("XADD", "sw:{p01}:inbox", "*", "id", b"body")) == "sw:{p01}:inbox"


def test_all_keys_of_a_partition_share_a_slot() -> None:
    part = PartitionKeys.of("sw", 7)
    keys = (
        part.marks,
        part.inbox,
        part.workflow("p07-x"),
        part.wake,
        beside(part.marks, "settled"),
    )
    assert len({slot_of(key) for key in keys}) == 1
