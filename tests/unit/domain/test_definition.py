from __future__ import annotations

from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from pydantic import ValidationError

from stagewright.application.yaml_definitions import load_definition
from stagewright.domain.definition import AgentStage, Definition, ParallelStage
from stagewright.domain.parsing import parse_definition

from .definition_strategies import definitions
from .definitions import definition, group, work


class Quoting(yaml.SafeDumper):
    """Quotes every text: 1e100 and 0E0 are numbers in YAML 1.2, and plain texts to this writer."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(max_examples=60, deadline=None)
@given(definitions)
def test_yaml_and_back_gives_an_equal_definition_and_an_equal_hash(data: dict[str, Any]) -> None:
    direct = parse_definition(data)
    written = yaml.dump(data, Dumper=Quoting, allow_unicode=True, sort_keys=False)
    read = load_definition(written, "example.yaml")
    assert read == direct
    assert read.content_hash == direct.content_hash


@settings(max_examples=30, deadline=None)
@given(definitions)
def test_the_canonical_form_reads_back_as_the_same_definition(data: dict[str, Any]) -> None:
    direct = parse_definition(data)
    read = Definition.model_validate(orjson.loads(direct.canonical()))
    assert read == direct
    assert read.canonical() == direct.canonical()


def test_defaults_written_out_change_no_hash() -> None:
    short = definition(work("a"))
    long = definition(
        work("a", agent="a@^1", kind="agent", retry={"attempts": 3}, on_failure="fail"),
        version="1.0.0",
        priority="P2",
        labels={},
    )
    assert long == short
    assert long.content_hash == short.content_hash


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "1.0.1"},
        {"labels": {"team": "a"}},
        {"priority": 1},
        {"input": {}},
        {"stages": [work("b")]},
    ],
)
def test_a_change_changes_the_hash(changed: dict[str, Any]) -> None:
    data = {"name": "example", "stages": [work("a")]}
    one, other = parse_definition(data), parse_definition({**data, **changed})
    assert one.content_hash != other.content_hash


def test_an_agent_without_a_version_means_the_first_major() -> None:
    (stage,) = definition(work("a", agent="scaffold")).stages
    assert isinstance(stage, AgentStage)
    assert stage.agent == "scaffold@^1"


@pytest.mark.parametrize(("join", "needed"), [("all", 3), ("any", 1), ("quorum:2", 2)])
def test_a_join_says_how_many_branches_must_succeed(join: str, needed: int) -> None:
    branches = {name: [work(name)] for name in ("a", "b", "c")}
    (stage,) = definition(group("g", join=join, **branches)).stages
    assert isinstance(stage, ParallelStage)
    assert stage.needed == needed


def test_every_stage_comes_in_order_groups_before_their_branches() -> None:
    inner = group("inner", deep=[work("c")])
    stages = work("a"), group("outer", left=[inner], right=[work("d")]), work("e")
    names = [stage.name for stage in definition(*stages).every_stage()]
    assert names == ["a", "outer", "inner", "c", "d", "e"]


def test_a_definition_cannot_be_changed() -> None:
    one = definition(work("a"))
    with pytest.raises(ValidationError, match="frozen"):
        one.name = "other"
