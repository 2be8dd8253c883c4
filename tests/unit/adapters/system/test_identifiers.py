from __future__ import annotations

import os
import re
import time
from uuid import UUID

from stagewright.adapters.system.identifiers import SystemIdentifiers


def test_a_uuid7_is_32_hex_digits_that_begin_with_the_time() -> None:
    now_ms = time.time_ns() // 1_000_000
    found = SystemIdentifiers().uuid7()
    assert re.fullmatch(r"[0-9a-f]{32}", found)
    assert UUID(found).version == 7
    assert 0 <= int(found[:12], 16) - now_ms < 5_000


def test_uuid7s_sort_in_the_order_they_were_drawn() -> None:
    identifiers = SystemIdentifiers()
    found = [identifiers.uuid7() for _ in range(1_000)]
    assert found == sorted(set(found))


def test_short_ids_are_16_hex_digits_and_never_repeat() -> None:
    identifiers = SystemIdentifiers()
    found = [identifiers.short() for _ in range(5_000)]
    assert len(set(found)) == 5_000
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in found)


def test_two_processes_worth_of_identifiers_do_not_meet() -> None:
    first, second = SystemIdentifiers(), SystemIdentifiers()
    ids = [each.short() for each in (first, second) for _ in range(1_000)]
    assert len(set(ids)) == 2_000


def test_a_forked_child_draws_other_ids_than_its_parent() -> None:
    identifiers = SystemIdentifiers()
    identifiers.short()  # now there is a buffer that could be shared
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, identifiers.short().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 16).decode() != identifiers.short()
