"""Random definitions for property tests: well formed, though not always sensible."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
labels = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
seconds = st.floats(0.001, 10_000) | st.integers(1, 10_000)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | texts
numbers = st.floats(allow_nan=False, allow_infinity=False)
references = st.builds(
    lambda stage, key: {"from": f"stages.{stage}.output.{key}"}, names, labels
) | st.just({"from": "input"})
json = st.recursive(
    scalars | numbers | references,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def _optional(always: dict[str, Any], /, **sometimes: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(always, optional=sometimes)


_common = {
    "on": st.dictionaries(labels, names, max_size=3),
    "on_failure": st.sampled_from(["fail", "skip", "hold"]),
    "max_visits": st.integers(1, 9),
    "description": texts,
}
_retry = _optional({}, attempts=st.integers(1, 9), delay_s=st.floats(0, 9), not_on=st.lists(texts))
_rules = st.lists(
    st.fixed_dictionaries({"when": texts.filter(bool), "outcome": labels}), max_size=2
)
_agents = _optional(
    {"name": names, "agent": names | names.map("{}@^1.2".format)},
    **_common,
    **{"with": json},
    retry=_retry,
    rules=_rules,
    repairs=st.integers(0, 9),
    timeout_s=seconds,
)
_approvals = _optional(
    {
        "name": names,
        "kind": st.just("approval"),
        "approvers": st.lists(texts.filter(bool), min_size=1, max_size=3),
    },
    **_common,
    show=json,
    form=st.just({"type": "object"}),
    timeout_s=seconds,
    required=st.integers(1, 3),
)
_waits = _optional(
    {"name": names, "kind": st.just("wait")},
    **_common,
    for_s=seconds,
    until=json,
    timeout_s=seconds,
)
stages: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _agents | _approvals | _waits,
    lambda inner: _optional(
        {
            "name": names,
            "kind": st.just("parallel"),
            "branches": st.dictionaries(
                names, st.lists(inner, min_size=1, max_size=2), min_size=1, max_size=2
            ),
        },
        **_common,
        join=st.sampled_from(["all", "any", "quorum:2"]),
        rules=_rules,
    ),
    max_leaves=4,
)
definitions: st.SearchStrategy[dict[str, Any]] = _optional(
    {"name": names, "stages": st.lists(stages, min_size=1, max_size=4)},
    version=st.sampled_from(["1.0.0", "2.1.0-rc.1", "1.0.0+dev.abc"]),
    description=texts,
    input=st.dictionaries(texts, json, max_size=3),
    deadline_s=seconds,
    labels=st.dictionaries(texts, texts, max_size=2),
    priority=st.integers(0, 3) | st.sampled_from(["P0", "P3"]),
)
"""Plain data, as it would be read from YAML."""
