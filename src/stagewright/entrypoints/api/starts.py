"""What a start looks like over HTTP: two words for two things each, and a key in either place."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from stagewright.domain.errors import ValidationFailed
from stagewright.domain.places import At
from stagewright.ports.control import Key, LabelName, LabelValue, StartRequest

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Start once per key: the same as the field `key`.",
    ),
]
_EXAMPLE: JsonDict = {
    "type": "delivery",
    "name": "Release 7",
    "requirements": {"title": "A page with a form"},
    "key": "release-7",
    "labels": {"team": "web"},
}


class StartBody(BaseModel):
    """Start a workflow. Give `type` or `definition`, and `requirements` or `input`, not both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [_EXAMPLE],
            "oneOf": [{"required": ["definition"]}, {"required": ["type"]}],
            "not": {"required": ["input", "requirements"]},
        },
    )

    definition: str = Field(default="", min_length=1, max_length=200)
    """`NAME`, `NAME@VERSION`, or a content hash."""
    type: str = Field(default="", min_length=1, max_length=200)
    """Another word for `definition`."""
    input: Any = None
    """What the workflow is given; it fits the definition's schema."""
    requirements: Any = None
    """Another word for `input`."""
    key: Key | None = None
    """Start once per key; the header `Idempotency-Key` says the same."""
    name: str = Field(default="", max_length=200)
    """What people call this workflow; lists find it by the beginning of this."""
    description: str = Field(default="", max_length=2_000)
    priority: Annotated[int, Field(ge=0, le=3)] | None = None
    """0 is most urgent; the definition's by default."""
    labels: dict[LabelName, LabelValue] = Field(default_factory=dict, max_length=32)
    deadline_s: Annotated[float, Field(gt=0, le=10 * 366 * 86_400)] | None = None

    def request(self, header_key: str | None) -> StartRequest:
        """Return the start; ValidationFailed when two words for one thing say two things."""
        definition = self._one("definition", "type")
        if definition is None:
            raise ValidationFailed(
                "The request does not say what to start.",
                problems=[At.field(["definition"], "Field required")],
                remedy="Give `definition` or `type`: NAME, NAME@VERSION or a content hash.",
            )
        return StartRequest(
            definition=definition,
            input=self._one("input", "requirements"),
            key=one_key(header_key, self.key),
            priority=self.priority,
            labels=self.labels,
            deadline_s=self.deadline_s,
            name=self.name,
            description=self.description,
        )

    def _one(self, word: str, other: str) -> Any:
        """Return what was given under either word. An input may be null, a definition may not."""
        given = [
            getattr(self, name)
            for name in (word, other)
            if name in self.model_fields_set and (word == "input" or getattr(self, name))
        ]
        if len(given) > 1 and given[0] != given[1]:
            raise _two(word, f"`{other}`")
        return given[0] if given else None


def one_key(header: str | None, field: str | None) -> str | None:
    """Return the key, said in the header, the body, or both; ValidationFailed when they differ."""
    if header is not None and field is not None and header != field:
        raise _two("key", "the header Idempotency-Key")
    return header or field


def _two(field: str, other: str) -> ValidationFailed:
    return ValidationFailed(
        "The request says two things.",
        problems=[At.field([field], f"differs from {other}, which means the same")],
        remedy="Give one of them, or the same value.",
    )
