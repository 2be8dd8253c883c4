"""What a stage is given: its template resolved, or the output of the stage before it."""

from __future__ import annotations

from typing import Any

import orjson

from stagewright.domain.outputs import Outputs
from stagewright.domain.wiring import Reference, Template
from stagewright.domain.workflow import INPUT_KEY, WorkflowState


def resolve(template: Template, state: WorkflowState, outputs: Outputs) -> Any:
    """Fill a template from the workflow's input and the newest visits of its stages."""

    def lookup(reference: Reference) -> Any:
        if reference.root == "input":
            return outputs.value(INPUT_KEY)
        record = state.stages.get(reference.stage or "")
        if record is None:
            return None
        if reference.root == "errors":
            return list(record.errors)
        return outputs.value(record.output)

    return template.resolve(lookup)


def stage_input(
    template: Template | None, state: WorkflowState, outputs: Outputs, source: str
) -> bytes:
    """Return the input of a stage as canonical JSON (or the blob reference it is handed on as)."""
    if template is None:
        return outputs.raw(source)
    return orjson.dumps(resolve(template, state, outputs), option=orjson.OPT_SORT_KEYS)
