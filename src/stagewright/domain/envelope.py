"""Envelopes: CloudEvents 1.0 in structured JSON, the only thing that enters a partition's inbox.

`docs/reference/envelopes.md` states the format with its JSON Schema. The checks here are written
by hand because every result of every task passes them; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from stagewright.domain.bounded_json import MAX_BODY_BYTES, parse
from stagewright.domain.errors import ValidationFailed
from stagewright.domain.stage_result import (
    JSON_TYPE,
    STAGE_RESULT,
    STAGE_RESULT_SCHEMA,
    BlobRef,
    EnvelopeRejected,
    StageResult,
    blob_ref,
    read_stage_result,
    refused,
)

__all__ = [
    "STAGE_RESULT",
    "BlobRef",
    "Envelope",
    "EnvelopeRejected",
    "StageResult",
    "blob_ref",
    "encode_result",
    "parse_attributes",
    "parse_envelope",
    "read_envelope",
    "rfc3339",
]

Envelope = StageResult
"""What `parse_envelope` returns: the union of all types in `_READERS`."""


def encode_result(result: StageResult) -> bytes:
    """Return a STAGE_RESULT envelope as canonical JSON, the inverse of `parse_envelope`.

    `result.value` is a JSON value, or an `orjson.Fragment` of canonical JSON. The caller answers
    for the values; what `parse_envelope` would refuse is not refused here.
    """
    workflow_id, stage, visit, attempt = result.task
    value = result.value if result.blob is None else result.blob.to_json()
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": result.envelope_id,
        "source": result.source,
        "type": STAGE_RESULT,
        "subject": workflow_id,
        "time": result.time,
        "dataschema": STAGE_RESULT_SCHEMA,
        "datacontenttype": JSON_TYPE,
        "partitionkey": workflow_id.partition("-")[0],
        "stage": stage,
        "task": f"{workflow_id}/{stage}/{visit}/{attempt}",
        "attempt": attempt,
        "leasetoken": result.token,
        "data": {
            "workflow_id": workflow_id,
            "stage": stage,
            "status": result.status,
            "outcome": result.outcome,
            "output": value,
            "errors": result.errors,
            "usage": result.usage or {},
        },
    }
    if result.causation is not None:
        attributes["causationid"] = result.causation
    if result.traceparent is not None:
        attributes["traceparent"] = result.traceparent
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)


def rfc3339(at_ms: int) -> str:
    """Milliseconds since the epoch as `2026-01-31T12:00:00.000Z`."""
    second, millis = divmod(at_ms, 1000)
    return f"{_whole_second(second)}.{millis:03d}Z"


@lru_cache(maxsize=64)
def _whole_second(second: int) -> str:
    """Most messages of a moment share their second; formatting one costs as much as a parse."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_envelope(body: bytes, max_bytes: int = MAX_BODY_BYTES) -> Envelope:
    """Return the envelope in `body`; EnvelopeRejected names the field that is wrong.

    Nothing else is raised, whatever the bytes; the work is bounded by `max_bytes`.
    """
    return read_envelope(parse_attributes(body, max_bytes))


def parse_attributes(body: bytes, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the attributes of an envelope, unchecked; EnvelopeRejected when there are none."""
    try:
        attributes = parse(body, max_bytes=max_bytes)
    except ValidationFailed as error:
        raise EnvelopeRejected(str(error), "body") from None
    if type(attributes) is not dict:
        raise refused("body", attributes, "a JSON object")
    return attributes


def read_envelope(attributes: dict[str, Any]) -> Envelope:
    """Check the attributes of an envelope; EnvelopeRejected names the field that is wrong."""
    if attributes.get("specversion") != "1.0":
        raise refused("specversion", attributes.get("specversion"), "'1.0'")
    kind = attributes.get("type")
    read = _READERS.get(kind) if type(kind) is str else None
    if read is None:
        raise refused("type", kind, f"one of {', '.join(_READERS)}")
    return read(attributes)


_READERS: Final[dict[str, Callable[[dict[str, Any]], Envelope]]] = {STAGE_RESULT: read_stage_result}
