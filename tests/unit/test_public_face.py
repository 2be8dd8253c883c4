"""What `import stagewright` offers, and that a type checker sees the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stagewright

FACE = Path(stagewright.__file__)
PROMISED = [
    "AgentContext", "Fatal", "Retry", "Stagewright", "Workflow", "agent", "approval", "outcome",
    "parallel", "rule", "stage", "wait",
]  # fmt: skip


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_is_there(name: str) -> None:
    assert getattr(stagewright, name) is not None
    assert name in dir(stagewright)


def test_type_checkers_are_told_of_every_name() -> None:
    (block,) = (node for node in ast.parse(FACE.read_text()).body if isinstance(node, ast.If))
    typed = {alias.asname for node in ast.walk(block) for alias in getattr(node, "names", ())}
    assert typed == set(stagewright.__all__) - {"__version__"}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        stagewright.nothing  # noqa: B018
