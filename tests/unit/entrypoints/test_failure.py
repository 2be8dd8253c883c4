from __future__ import annotations

from typing import Any

import pytest

from stagewright.entrypoints.failure import failure_of
from tests.unit.entrypoints.fakes import ID, view

VIOLATION = {"type": "input_invalid", "path": "a.number", "message": "not a number."}


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (
            {"reason": "plan ended as invalid", "failed_stage": "plan", "errors": [VIOLATION]},
            "failed in stage plan: a.number: not a number.",
        ),
        (
            {"reason": "plan ended as exhausted", "failed_stage": "plan"},
            "failed in stage plan: plan ended as exhausted.",
        ),
        (
            {"status": "cancelled", "reason": "cancelled by eve: wrong part"},
            "cancelled: by eve: wrong part.",
        ),
    ],
)
def test_an_end_is_told_with_stage_field_and_reason(ended: dict[str, Any], said: str) -> None:
    error = failure_of(view(**{"status": "failed", "waiting": [], **ended}))
    assert error.message == f"Workflow {ID} {said}"
    assert error.remedy == f"See `stagewright workflow show {ID}`."
