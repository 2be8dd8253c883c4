from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stagewright.domain.contracts import Contract, satisfies, version_key


def test_the_hash_covers_what_is_agreed_and_not_how_it_is_described() -> None:
    one = Contract(name="a", description="x", input={"type": "object"}, outcomes=("rework",))
    assert one.hash == one.model_copy(update={"description": "y"}).hash
    changed = [{"input": {}}, {"output": {"a": 1}}, {"outcomes": ()}, {"version": "1.0.1"}]
    assert len({one.hash, *(one.model_copy(update=change).hash for change in changed)}) == 5


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    one = Contract(name="a", input={"x": 1, "y": 2})
    assert one.hash == Contract(name="a", input={"y": 2, "x": 1}).hash


def test_a_reference_to_a_contract_says_which_one() -> None:
    contract = Contract(name="scaffold", version="1.2.3")
    assert contract.ref.agent == "scaffold"
    assert contract.ref.version == "1.2.3"
    assert contract.ref.hash == contract.hash
    assert contract.ref.level == "1.2"


def test_a_contract_with_a_wrong_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="outcomes"):
        Contract(name="a", outcomes=("Not A Label",))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "strin"}, "output\n.*it is not a JSON Schema: at type"),
        ({"$ref": "file:///etc/hostname"}, "lies outside of this schema"),
    ],
)
def test_a_contract_holds_json_schemas_that_stand_alone(
    schema: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        Contract(name="a", output=schema)


@pytest.mark.parametrize(
    ("requirement", "version", "fits"),
    [
        ("a@^1", "1.0.0", True),
        ("a@^1", "1.9.3", True),
        ("a@^1", "2.0.0", False),
        ("a@^1", "0.9.0", False),
        ("a@^1.2", "1.2.0", True),
        ("a@^1.2", "1.10.0", True),
        ("a@^1.2", "1.1.9", False),
        ("a@^1", "1.0.0+dev.a-b.c", True),
        ("a@^1", "1.0.0-rc.1", False),
        ("a@^1.2", "1.3.0-rc.1", True),
        ("a@^0.2", "0.3.0", True),
    ],
)
def test_a_version_fits_a_requirement_of_its_major(
    requirement: str, version: str, fits: bool
) -> None:
    assert satisfies(requirement, version) is fits


def test_versions_sort_as_semantic_versions_do() -> None:
    versions = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2"]
    versions += ["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0"]
    assert [*map(version_key, versions)] == sorted(map(version_key, versions))


def test_build_metadata_does_not_count() -> None:
    assert version_key("1.0.0+a") == version_key("1.0.0+b")
