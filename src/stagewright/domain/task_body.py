"""What a task carries to the runner: input, feedback and the contract it was promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.domain.errors import ValidationFailed
from stagewright.domain.stage_result import BlobRef, EnvelopeRejected, blob_ref


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


@dataclass(frozen=True, slots=True)
class TaskBody:
    """One task as the runner reads it."""

    input: Any
    """JSON value; None when it is a blob."""
    blob: BlobRef | None
    feedback: tuple[Mapping[str, Any], ...]
    """Earlier rounds, oldest first: `stage`, `visit`, `outcome`, `errors`, `output`."""
    contract: Mapping[str, str] | None
    """`agent`, `version`, `hash`; None: not checked when the definition was registered."""
    definition: str
    """`name@version`."""
    traceparent: str | None
    repair: tuple[Mapping[str, Any], ...]
    """How the output of the attempt before broke the contract."""


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
        fields = orjson.loads(body)
    except ValueError as error:
        raise TaskBodyInvalid(str(error), "body") from None
    if type(fields) is not dict or "input" not in fields:
        raise TaskBodyInvalid("expected an object with an input", "body")
    get = fields.get
    value = fields["input"]
    blob = _blob(value)
    return TaskBody(
        input=value if blob is None else None,
        blob=blob,
        feedback=_objects(get("feedback"), "feedback"),
        contract=_contract(get("contract")),
        definition=_text(get("definition"), "definition") or "",
        traceparent=_text(get("traceparent"), "traceparent"),
        repair=_objects(get("repair"), "repair"),
    )


def _blob(value: Any) -> BlobRef | None:
    try:
        return blob_ref(value, "input")
    except EnvelopeRejected as error:
        raise TaskBodyInvalid(error.reason, error.field) from None


def _objects(value: Any, field: str) -> tuple[Mapping[str, Any], ...]:
    if not value:
        return ()
    if type(value) is not list or not all(type(item) is dict for item in value):
        raise TaskBodyInvalid("expected a list of objects", field)
    return tuple(value)


def _contract(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    if type(value) is not dict or not {"agent", "version", "hash"} <= value.keys():
        raise TaskBodyInvalid("expected null or agent, version and hash", "contract")
    return value


def _text(value: Any, field: str) -> str | None:
    if value is not None and type(value) is not str:
        raise TaskBodyInvalid(f"expected text, found {type(value).__name__}", field)
    return value
