from __future__ import annotations

from stagewright.domain.diagram import mermaid

from .definitions import approval, definition, group, wait, work


def test_stages_are_drawn_by_kind_and_routes_by_outcome() -> None:
    drawn = mermaid(
        definition(
            work("build", with_=1, max_visits=3),
            work("test", agent="tester", on={"rework": "build", "failed": "build"}),
            approval("sign", approvers=["ann", "group:leads"]),
            wait("pause", for_s=90, on_failure="skip"),
            wait("go", signal="go"),
            wait("then", until={"from": "input.at"}),
        )
    )
    assert drawn.splitlines() == [
        "flowchart TD",
        '  s1["build<br/>at most 3 visits"]',
        '  s2["test<br/>tester@^1"]',
        '  s3[/"sign<br/>1 of ann, group:leads"/]',
        '  s4(["pause<br/>90 s<br/>on failure: skip"])',
        '  s5(["go<br/>signal go"])',
        '  s6(["then<br/>until an instant"])',
        '  complete0(("complete"))',
        "  s1 --> s2",
        "  s2 --> s3",
        "  s2 -->|failed, rework| s1",
        "  s3 -->|approved| s4",
        "  s4 --> s5",
        "  s5 --> s6",
        "  s6 --> complete0",
    ]


def test_groups_are_boxes_around_their_branches() -> None:
    stages = group("both", join="any", left=[work("a", on={"failed": "fail"})]), work("b")
    assert mermaid(definition(*stages)).splitlines() == [
        "flowchart TD",
        '  subgraph s1["both<br/>join: any"]',
        '    subgraph b1["left"]',
        '      s2["a"]',
        '      complete1(("complete"))',
        '      fail1(("fail"))',
        "      s2 --> complete1",
        "      s2 -->|failed| fail1",
        "    end",
        "  end",
        '  s3["b"]',
        '  complete0(("complete"))',
        "  s1 --> s3",
        "  s3 --> complete0",
    ]


def test_outcomes_of_rules_are_drawn_when_they_lead_somewhere() -> None:
    rules = [{"when": "true", "outcome": "late"}, {"when": "true", "outcome": "lost"}]
    drawn = mermaid(definition(work("a", rules=rules, on={"late": "complete"})))
    assert "s1 -->|ok, late| complete0" in drawn
    assert "lost" not in drawn


def test_what_would_end_a_label_is_left_out() -> None:
    drawn = mermaid(definition(approval("sign", approvers=['a"]<b>'])))
    assert '"sign<br/>1 of a   b "' in drawn
