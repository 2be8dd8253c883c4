"""Short ways to write definitions and contracts in tests."""

from __future__ import annotations

from typing import Any

from stagewright.domain.checks import check
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Definition
from stagewright.domain.errors import Problem

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def fields(**properties: Any) -> dict[str, Any]:
    """The schema of an object whose fields are all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def work(name: str, **others: Any) -> dict[str, Any]:
    """An agent stage; `with_` stands for `with`."""
    template = {"with": others.pop("with_")} if "with_" in others else {}
    return {"name": name, "agent": others.pop("agent", name), **template, **others}


def group(name: str, *, join: str = "all", **branches: Any) -> dict[str, Any]:
    return {"name": name, "kind": "parallel", "join": join, "branches": branches}


def approval(name: str, **others: Any) -> dict[str, Any]:
    return {"name": name, "kind": "approval", "approvers": ["ann"], **others}


def wait(name: str, **others: Any) -> dict[str, Any]:
    return {"name": name, "kind": "wait", **others}


def definition(*stages: dict[str, Any], **others: Any) -> Definition:
    return Definition.model_validate({"name": "example", "stages": stages, **others})


def contract(name: str, given: Any = None, returned: Any = None, **others: Any) -> Contract:
    return Contract(name=name, input=given or {}, output=returned or {}, **others)


def problems(*stages: dict[str, Any], contracts: Any = (), **others: Any) -> list[Problem]:
    known = {one.name: one for one in contracts}
    return check(definition(*stages, **others), known)


def only_problem(*stages: dict[str, Any], contracts: Any = (), **others: Any) -> Problem:
    found = problems(*stages, contracts=contracts, **others)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]
