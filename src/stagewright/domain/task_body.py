"""What a task carries to the runner: input, feedback and the contract it was promised."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from stagewright.domain.errors import ValidationFailed
from stagewright.domain.records import Codec, Raw, Record, Unreadable
from stagewright.domain.stage_result import BLOB_KEY, BlobRef, EnvelopeRejected, blob_ref

_BLOB_MARK = f'"{BLOB_KEY}"'.encode()


class TaskBodyInvalid(ValidationFailed):
    """The task cannot be read.

    `field` names what is wrong. Bodies are written by the orchestrator, so this is a fault of
    versions that do not fit or of an edited store, never of an agent.
    """

    def __init__(self, reason: str, field: str) -> None:
        self.reason, self.field = reason, field
        super().__init__(
            f"Task body invalid at {field}: {reason}",
            remedy="Run orchestrators and agents of the same release.",
        )


class TaskContract(Record, frozen=True, forbid_unknown_fields=False):
    """What the agent was promised to be."""

    agent: str
    version: str
    hash: str


class TaskBody(Record, frozen=True, forbid_unknown_fields=False):
    """One task as the runner reads it."""

    input: Raw
    """JSON as it was written: the agent's own types are built from it. See `blob`."""
    feedback: tuple[dict[str, Any], ...] = ()
    """Earlier rounds, oldest first: `stage`, `visit`, `outcome`, `errors`, `output`."""
    contract: TaskContract | None = None
    """None: not checked when the definition was registered."""
    definition: str = ""
    """`name@version`."""
    traceparent: str | None = None
    repair: tuple[dict[str, Any], ...] = ()
    """How the output of the attempt before broke the contract."""

    @property
    def blob(self) -> BlobRef | None:
        """Where the input lies when it is too big to travel."""
        written = bytes(self.input)
        return blob_ref(orjson.loads(written), "input") if _BLOB_MARK in written else None


def encode_task_body(
    *,
    input_: Any,
    feedback: Sequence[Mapping[str, Any]],
    contract: Mapping[str, Any] | orjson.Fragment | None,
    definition: str,
    repair: Sequence[Mapping[str, Any]] = (),
    traceparent: str | None = None,
) -> bytes:
    """Return canonical JSON; `input_` is a JSON value, an orjson.Fragment or a BlobRef."""
    body: dict[str, Any] = {
        "input": input_.to_json() if isinstance(input_, BlobRef) else input_,
        "feedback": feedback,
        "contract": contract,
        "definition": definition,
        "traceparent": traceparent,
    }
    if repair:
        body["repair"] = repair
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def parse_task_body(body: bytes) -> TaskBody:
    """Return the task; TaskBodyInvalid names the field that is wrong."""
    try:
        task = _codec.decode(body)
        _ = task.blob
    except EnvelopeRejected as error:
        raise TaskBodyInvalid(error.reason, error.field) from None
    except Unreadable as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise TaskBodyInvalid(reason, re.split(r"\W", path)[0] or "body") from None
    return task


_codec = Codec(TaskBody)
