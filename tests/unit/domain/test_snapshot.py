"""Snapshots: canonical bytes with a schema number."""

from __future__ import annotations

import orjson
import pytest

from stagewright.domain.records import but
from stagewright.domain.snapshot import SnapshotUnreadable, decode_state, encode_state
from stagewright.domain.workflow import SCHEMA
from tests.unit.domain.kernel import Kernel, agent, approval, parallel, started, wait


def rich() -> Kernel:
    """A workflow in which nearly everything waits."""
    branches = [
        [agent("a", retry={"attempts": 9, "delay_s": 5})],
        [approval("b", "ann", "bob", required=2)],
        [wait("c", for_s=60)],
        [wait("d", signal="s", timeout_s=5)],
        [agent("e", retry={"attempts": 1}, on_failure="hold")],
        [agent("f")],
    ]
    flow = started(parallel("fan", *branches), deadline_s=99, labels={"x": "y"}, value={"n": 1})
    flow.fails("a")
    flow.vote("b", "ann", data={"why": [1, None]})
    flow.signal("early", 5)
    flow.fails("e")
    flow.violates("f")
    flow.pause()
    flow.violates("f")
    return flow


def test_a_snapshot_decodes_to_an_equal_state_and_the_same_bytes() -> None:
    state = rich().now
    body = encode_state(state)
    assert decode_state(body) == state
    assert encode_state(decode_state(body)) == body


def test_equal_states_give_equal_bytes() -> None:
    assert encode_state(rich().now) == encode_state(rich().now)


def test_every_step_says_which_one_it_is() -> None:
    flow = rich()
    assert (flow.now.step, flow.now.step_id) == (len(flow.log), f"s{len(flow.log)}")


def test_a_snapshot_of_a_newer_schema_is_refused_with_the_remedy() -> None:
    newer = encode_state(but(rich().now, schema=SCHEMA + 1))
    assert orjson.loads(newer)["schema"] == SCHEMA + 1
    with pytest.raises(SnapshotUnreadable, match="newer version of Stagewright; upgrade"):
        decode_state(newer)
