"""Dead letters as they are packed in the hash `letters` (see functions/shared/letters.lua)."""

from __future__ import annotations

import struct

from stagewright.ports.dead_letters import DeadLetter

_HEAD = struct.Struct(">QHH")
REASON_BYTES = 4_096
"""Longest reason that is kept."""


def pack_letter(letter: DeadLetter) -> bytes:
    """Pack all but the id."""
    workflow = (letter.workflow_id or "").encode()
    reason = letter.reason.encode()[:REASON_BYTES]
    return _HEAD.pack(letter.at_ms, len(workflow), len(reason)) + workflow + reason + letter.body


def unpack_letter(letter_id: str, packed: bytes) -> DeadLetter:
    """Read a packed letter."""
    at_ms, workflow_bytes, reason_bytes = _HEAD.unpack_from(packed)
    reason_at = _HEAD.size + workflow_bytes
    body_at = reason_at + reason_bytes
    workflow_id = packed[_HEAD.size : reason_at].decode() or None
    reason = packed[reason_at:body_at].decode(errors="replace")
    return DeadLetter(letter_id, workflow_id, reason, packed[body_at:], at_ms)
