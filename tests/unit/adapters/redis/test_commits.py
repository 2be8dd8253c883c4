from __future__ import annotations

import struct

import pytest

from stagewright.adapters.redis.commits import encode
from stagewright.domain.errors import LimitExceeded
from stagewright.ports.task import TaskLease
from stagewright.testing.contracts.samples import start, task, then, workflow

ONE = workflow(1)


def test_a_step_is_its_shape_and_then_its_sections_in_order() -> None:
    step = then(
        start(ONE),
        fences=(TaskLease("t0", 7),),
        closed_tasks=("t0",),
        new_tasks=(task(ONE, timeout_s=2.5),),
        consumed=("1-0",),
        outputs={"build/1": b"out"},
        log=(b"record",),
        timers={"retry": 5},
        cleared_timers=("deadline",),
        suspended=False,
    )
    shape, *rest = encode(step)
    assert isinstance(shape, bytes)
    assert struct.unpack(">HHHHHHHHHHB", shape) == (1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1)
    ids = [step.expected_step_id, step.step_id, step.snapshot]
    new = [f"{ONE}/build/1/1", "build@1.0", 2, 2_500, b'{"input":{}}']
    tail = ["1-0", "o:build/1", b"out", b"record", "retry", 5, "deadline"]
    assert rest == [*ids, "t0", 7, "t0", *new, *tail]


def test_a_start_expects_nothing() -> None:
    assert encode(start(ONE))[1] == ""


def test_a_part_with_too_many_items_is_refused() -> None:
    with pytest.raises(LimitExceeded, match=r"is 70000, the limit is 65535"):
        encode(start(ONE, log=(b"",) * 70_000))
