"""Snapshots: the stored form of a workflow's state, with a schema number."""

from __future__ import annotations

from stagewright.domain.errors import StagewrightError
from stagewright.domain.records import Codec, Unreadable, encode
from stagewright.domain.workflow import SCHEMA, WorkflowState

_codec = Codec(WorkflowState)


class SnapshotUnreadable(StagewrightError):
    """A stored snapshot was written by a newer version of Stagewright; upgrade this process."""


def encode_state(state: WorkflowState) -> bytes:
    """Return the canonical JSON of a state: equal states give equal bytes."""
    return encode(state)


def decode_state(body: bytes) -> WorkflowState:
    """Return the state that a snapshot holds; SnapshotUnreadable."""
    try:
        state = _codec.decode(body)
    except Unreadable as error:
        raise SnapshotUnreadable(f"A stored snapshot cannot be read: {error}") from error
    if state.schema > SCHEMA:
        raise SnapshotUnreadable
    return state
