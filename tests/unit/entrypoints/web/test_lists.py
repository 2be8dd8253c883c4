"""What lists are made of: filters, definitions, agents, causes, owners."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.errors import UsageError
from stagewright.entrypoints.web.activity import counts_of, unserved_of
from stagewright.entrypoints.web.agents import agents_of, processes_of
from stagewright.entrypoints.web.dead_letters import causes_of
from stagewright.entrypoints.web.definitions import families_of, fares_of
from stagewright.entrypoints.web.sign_in import safe_path
from stagewright.entrypoints.web.system import Owner, owners_of
from stagewright.entrypoints.web.workflows import Filters
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.views import (
    AgentView,
    DefinitionView,
    LaneView,
    OrchestratorView,
    WorkflowRow,
)
from tests.unit.entrypoints.fakes import ID, NOW_MS, row_of, system, view


def test_filters_live_in_the_address() -> None:
    filters = Filters(status="failed", text="a b")
    assert filters.address() == "/workflows?status=failed&text=a+b"
    assert filters.address(status="", cursor="c") == "/workflows?text=a+b&cursor=c"
    assert Filters().address() == "/workflows"
    assert (filters.any, Filters(order="oldest").any) == (True, False)


def test_filters_become_a_query_and_a_command() -> None:
    filters = Filters(status="failed", label="team=web", since="1h", order="oldest")
    query = filters.query(NOW_MS, "c")
    assert (query.label, query.oldest_first, query.cursor) == (("team", "web"), True, "c")
    assert query.updated_from_ms == NOW_MS - 3_600_000
    assert filters.command() == (
        "stagewright workflow list --status failed --label team=web --oldest-first"
    )
    with pytest.raises(UsageError, match="KEY=VALUE"):
        Filters(label="web").query(NOW_MS, None)


def rows(*spans: tuple[str, int]) -> list[WorkflowRow]:
    views = [view(status=s, created_at_ms=0, updated_at_ms=took) for s, took in spans]
    return [row_of(each) for each in views]


def test_a_definition_fares_as_its_newest_workflows_did() -> None:
    ended = [("completed", n) for n in range(1, 20)]
    fares = fares_of(rows(*ended, ("failed", 99), ("cancelled", 5), ("running", 7)))
    assert (fares.rate, fares.p50_ms, fares.p95_ms, fares.ended) == (95, 10, 19, 21)
    assert fares_of([]).rate is None


def definition(name: str, version: str, **more: Any) -> DefinitionView:
    return DefinitionView(name=name, version=version, hash="ab", registered_at_ms=1, **more)


def test_versions_stand_under_their_name_with_the_newest_first() -> None:
    given = [
        definition("b", "1.9.0"),
        definition("b", "1.10.0"),
        definition("a", "1.0.0"),
        definition("b", "2.0.0", retired=True),
    ]
    found = families_of(given)
    assert [(f.name, f.newest.version) for f in found] == [("a", "1.0.0"), ("b", "1.10.0")]
    assert [v.version for v in found[1].versions] == ["1.10.0", "1.9.0", "2.0.0"]


def test_agents_that_nobody_serves_come_first() -> None:
    served = {"a": {"version": "1.2.0", "running": 2, "limit": 8}}
    process = AgentView(holder="h1", host="h", pid=1, started_at_ms=1, agents=served)
    lanes = [LaneView(lane="z@1.0", priority=2, queued=3, oldest_at_ms=5)]
    found = agents_of(system(agents=[process], lanes=lanes))
    assert [(a.name, a.unserved, a.queued, a.running) for a in found] == [
        ("z", True, 3, 0),
        ("a", False, 0, 2),
    ]
    (held,) = processes_of(system(agents=[process]))
    assert (held.names, held.running) == (["a"], 2)
    assert unserved_of(system(lanes=lanes)) == lanes


def test_letters_with_one_cause_stand_together() -> None:
    reasons = [f"nothing waits for {ID}/a/{n}" for n in range(3)] + ["not JSON"]
    letters = [DeadLetter(f"p00-{n}", None, r, b"", 1) for n, r in enumerate(reasons)]
    assert [(c.text, len(c.letters)) for c in causes_of(letters)] == [
        ("nothing waits for …", 3),
        ("not JSON", 1),
    ]


def test_partitions_without_an_owner_are_told_first() -> None:
    idle = OrchestratorView(holder="p", told_at_ms=7)
    found = owners_of(system(owners={0: "o", 2: "o"}, partitions=3, orchestrators=[idle]))
    assert found == [Owner("", [1]), Owner("o", [0, 2]), Owner("p", [], 7)]
    assert [c.number for c in counts_of(system(counts={"failed": 4}))] == [0, 0, 0, 0, 4, 0]


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil", "/a\nb", ""])
def test_signing_in_leads_nowhere_else(path: str) -> None:
    assert safe_path(path) == "/"
    assert safe_path("/workflows?status=failed") == "/workflows?status=failed"
