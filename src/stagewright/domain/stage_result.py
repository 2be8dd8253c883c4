"""What became of one attempt at a stage, and the checks that a stranger's word of it must pass.

Every check names its field, what was found and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeGuard

import orjson

from stagewright.domain.errors import EnvelopeInvalid
from stagewright.domain.ids import TaskId

STAGE_RESULT: Final = "stagewright.STAGE_RESULT"
STAGE_RESULT_SCHEMA: Final = "urn:stagewright:stage-result:1"
JSON_TYPE: Final = "application/json"
BLOB_KEY: Final = "$blob"
MAX_ERRORS: Final = 100
MAX_USAGE: Final = 32
MAX_TEXT: Final = 256
MAX_TOKEN: Final = 2**53 - 1
"""Every language and every store can hold integers up to this exactly."""
"""Characters of an id, a source or an error's type."""

Status = Literal["success", "failure"]

_Get = Callable[..., Any]
_NUMBERS = frozenset({int, float})

_TASK = re.compile(
    r"((p[0-9]{2,6})-[0-9a-zA-Z]{1,64})/([a-z][a-z0-9_-]{0,62})/([1-9][0-9]{0,8})/([1-9][0-9]{0,8})"
)
_OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TIME = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_HASH = re.compile(r"[0-9a-f]{64}")


class EnvelopeRejected(EnvelopeInvalid):
    """The envelope is not valid.

    `field` is the path of what is wrong (`data.status`; `body` when it is no JSON object at all),
    `reason` says what was found and what was expected.
    """

    def __init__(self, reason: str, field: str) -> None:
        self.reason, self.field = reason, field
        super().__init__(f"Envelope rejected at {field}: {reason}")


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A payload that lies in the blob store of its workflow."""

    hash: str
    """SHA-256 of the payload (hex)."""
    bytes: int
    """Size of the payload."""

    def to_json(self) -> dict[str, Any]:
        """The reference as it travels in place of the payload."""
        return {BLOB_KEY: {"bytes": self.bytes, "hash": self.hash}}


class StageResult(NamedTuple):
    """What became of one attempt at a stage, as claimed by whoever wrote the envelope.

    A named tuple, because building a frozen dataclass of this many fields takes a quarter of the
    time of parsing an envelope.
    """

    envelope_id: str
    source: str
    time: str
    """RFC 3339, by the clock of the writer."""
    task: TaskId
    token: int
    status: Status
    outcome: str | None = None
    """The label the agent declared; None leaves it to the stage's rules."""
    value: Any = None
    """The output as JSON value; None for failures and when it is a blob."""
    blob: BlobRef | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    """Each with `type` and `message`, often `path`."""
    usage: Mapping[str, float] = MappingProxyType({})
    """Such as `input_tokens`, `output_tokens`, `cost_usd`, `duration_ms`, `queued_ms`."""
    causation: str | None = None
    traceparent: str | None = None
    written: bytes | None = None
    """The value as canonical JSON, where whoever made the result has it at hand."""

    @property
    def output(self) -> bytes:
        """The output (or its blob reference) as canonical JSON."""
        if self.written is not None and self.blob is None:
            return self.written
        value = self.value if self.blob is None else self.blob.to_json()
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

    @property
    def workflow_id(self) -> str:
        """The workflow that this concerns."""
        return self.task.workflow_id


def blob_ref(value: Any, field: str = "data.output") -> BlobRef | None:
    """Return the reference when `value` is one; EnvelopeRejected when it is a broken one."""
    if type(value) is not dict or BLOB_KEY not in value:
        return None
    ref = value[BLOB_KEY]
    if len(value) != 1 or type(ref) is not dict or ref.keys() != {"hash", "bytes"}:
        raise EnvelopeRejected('expected {"$blob": {"hash": ..., "bytes": ...}}, no more', field)
    if type(ref["hash"]) is not str or not _HASH.fullmatch(ref["hash"]):
        raise EnvelopeRejected("expected 64 hex digits", f"{field}.$blob.hash")
    if type(ref["bytes"]) is not int or ref["bytes"] < 0:
        raise EnvelopeRejected("expected a size in bytes", f"{field}.$blob.bytes")
    return BlobRef(ref["hash"], ref["bytes"])


def read_stage_result(attributes: dict[str, Any]) -> StageResult:
    """Check a STAGE_RESULT field by field."""
    get = attributes.get
    task, partition = _task(get("task"))
    _same_task(get, task, partition)
    token = get("leasetoken")
    if not is_token(token):
        raise refused("leasetoken", token, f"an integer from 1 to {MAX_TOKEN}")
    envelope_id, source, time = _origin(get)
    causation, traceparent = _links(get)
    data = get("data")
    if type(data) is not dict:
        raise refused("data", data, "an object")
    get = data.get
    if get("workflow_id") != task[0]:
        raise refused("data.workflow_id", get("workflow_id"), repr(task[0]))
    if get("stage") != task[1]:
        raise refused("data.stage", get("stage"), repr(task[1]))
    value = get("output")
    blob = blob_ref(value) if type(value) is dict and BLOB_KEY in value else None
    errors = get("errors")
    errors = _errors(errors) if errors else _nothing(errors, (), list, "data.errors")
    status, outcome = _verdict(get("status"), get("outcome"), value, errors)
    usage = get("usage")
    usage = _usage(usage) if usage else _nothing(usage, {}, dict, "data.usage")
    value = value if blob is None else None
    return StageResult(
        envelope_id, source, time, task, token,
        status, outcome, value, blob, errors, usage, causation, traceparent,
    )  # fmt: skip


def is_token(token: Any) -> TypeGuard[int]:
    """Whether it may be a fencing token: no store needs to hold others, or to compare them."""
    return type(token) is int and 0 < token <= MAX_TOKEN


def _task(text: Any) -> tuple[TaskId, str]:
    """Return the task and the partition that its workflow names."""
    match = _TASK.fullmatch(text) if type(text) is str else None
    if match is None:
        raise refused("task", text, "workflow_id/stage/visit/attempt")
    workflow_id, partition, stage, visit, attempt = match.groups()
    return TaskId(workflow_id, stage, int(visit), int(attempt)), partition


def _same_task(get: _Get, task: TaskId, partition: str) -> None:
    """The attributes that routers read must say what the task says."""
    workflow_id, stage, _, attempt = task
    if get("subject") != workflow_id:
        raise refused("subject", get("subject"), f"{workflow_id!r}, as in task")
    if get("stage") != stage:
        raise refused("stage", get("stage"), f"{stage!r}, as in task")
    written = get("attempt")
    if written != attempt or type(written) is not int:
        raise refused("attempt", written, f"{attempt}, as in task")
    if get("partitionkey", partition) != partition:
        wanted = f"{partition!r}, as in task"
        raise refused("partitionkey", get("partitionkey"), wanted)


def _origin(get: _Get) -> tuple[str, str, str]:
    """Check who wrote the envelope, when, and what it claims to hold."""
    envelope_id, source, time = get("id"), get("source"), get("time")
    if type(envelope_id) is not str or not 0 < len(envelope_id) <= MAX_TEXT:
        raise refused("id", envelope_id, f"1 to {MAX_TEXT} characters")
    if type(source) is not str or not 0 < len(source) <= MAX_TEXT:
        raise refused("source", source, f"1 to {MAX_TEXT} characters")
    if type(time) is not str or not _TIME.fullmatch(time):
        raise refused("time", time, "an RFC 3339 time")
    if get("datacontenttype", JSON_TYPE) != JSON_TYPE:
        raise refused("datacontenttype", get("datacontenttype"), JSON_TYPE)
    if get("dataschema", STAGE_RESULT_SCHEMA) != STAGE_RESULT_SCHEMA:
        raise refused("dataschema", get("dataschema"), STAGE_RESULT_SCHEMA)
    return envelope_id, source, time


def _links(get: _Get) -> tuple[str | None, str | None]:
    """Return what caused the envelope, and its trace."""
    causation, trace = get("causationid"), get("traceparent")
    if causation is not None and (type(causation) is not str or len(causation) > MAX_TEXT):
        raise refused("causationid", causation, f"at most {MAX_TEXT} characters")
    if trace is not None and (type(trace) is not str or not _TRACEPARENT.fullmatch(trace)):
        raise refused("traceparent", trace, "a W3C traceparent")
    return causation, trace


def _verdict(
    status: Any, outcome: Any, output: Any, errors: tuple[Any, ...]
) -> tuple[Status, str | None]:
    if outcome is not None and (type(outcome) is not str or not _OUTCOME.fullmatch(outcome)):
        raise refused("data.outcome", outcome, f"null or {_OUTCOME.pattern}")
    if status == "success":
        return "success", outcome
    if status != "failure":
        raise refused("data.status", status, "'success' or 'failure'")
    if outcome is not None:
        raise EnvelopeRejected("expected null: a failure has no outcome", "data.outcome")
    if output is not None:
        raise EnvelopeRejected("expected null: a failure has no output", "data.output")
    if not errors:
        raise EnvelopeRejected("expected at least one error of a failure", "data.errors")
    return "failure", None


def _nothing(found: Any, empty: Any, kind: type, field: str) -> Any:
    """Read an absent, null or empty collection."""
    if found is None or type(found) is kind:
        return empty
    raise refused(field, found, f"{kind.__name__} or null")


def _errors(errors: Any) -> tuple[Mapping[str, Any], ...]:
    if type(errors) is not list or len(errors) > MAX_ERRORS:
        raise refused("data.errors", errors, f"at most {MAX_ERRORS} errors")
    for index, error in enumerate(errors):
        if type(error) is not dict:
            raise refused(f"data.errors[{index}]", error, "an object")
        name, message = error.get("type"), error.get("message")
        if type(name) is not str or not 0 < len(name) <= MAX_TEXT:
            wanted = f"1 to {MAX_TEXT} characters"
            raise refused(f"data.errors[{index}].type", name, wanted)
        if type(message) is not str:
            raise refused(f"data.errors[{index}].message", message, "text")
    return tuple(errors)


def _usage(usage: Any) -> Mapping[str, float]:
    if type(usage) is not dict or len(usage) > MAX_USAGE:
        raise refused("data.usage", usage, f"an object of at most {MAX_USAGE}")
    for name, amount in usage.items():
        if type(amount) not in _NUMBERS or amount < 0 or len(name) > MAX_TEXT:
            raise refused(f"data.usage.{name[:80]}", amount, "a number from 0")
    return usage


def refused(field: str, value: Any, expected: str) -> EnvelopeRejected:
    """Say what was found, briefly: a stranger's value may be long, or secret inside."""
    hidden = isinstance(value, list | dict) and value
    shown = "" if hidden else repr(value[:80] if type(value) is str else value)[:100]
    found = f"{type(value).__name__} {shown}".rstrip()
    return EnvelopeRejected(f"expected {expected}, found {found}", field)
