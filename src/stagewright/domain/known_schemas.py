"""What is known of the values that stages give, before any of them ran."""

from __future__ import annotations

from stagewright.domain.definition import ApprovalStage, ParallelStage
from stagewright.domain.schemas import Schema
from stagewright.domain.subject import Subject
from stagewright.domain.wiring import Reference


def output_of(subject: Subject, name: str) -> Schema:
    """What is known of a stage's output."""
    stage = subject.stages[name]
    if isinstance(stage, ParallelStage):
        return Schema.of(_group_output(stage))
    if isinstance(stage, ApprovalStage):
        return Schema.of(_DECISION)
    contract = subject.contract(stage)
    return Schema.of(contract.output if contract else None)


_DECISION: dict[str, object] = {
    "type": "object",
    "properties": {
        "decision": {"enum": ["approved", "rejected"]},
        "decided_by": {"type": "array"},
        "at": {"type": "integer"},
        "comment": {},
        "data": {},
    },
    "required": ["decision", "decided_by", "at"],
}


def _group_output(stage: ParallelStage) -> dict[str, object]:
    branch = {
        "type": "object",
        "properties": {"outcome": {"enum": ["ok", "failed"]}, "output": {}},
        "required": ["outcome", "output"],
    }
    return {"type": "object", "properties": dict.fromkeys(stage.branches, branch)}


def root_schema(subject: Subject, reference: Reference) -> Schema | None:
    """What is known of a reference's root (not its path); None for a stage that does not exist."""
    if reference.root == "input":
        return Schema.of(subject.definition.input)
    if reference.stage not in subject.stages:
        return None
    if reference.root == "errors":
        return Schema.of({"type": "array", "items": {"type": "object"}})
    return output_of(subject, reference.stage)
