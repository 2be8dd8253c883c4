"""Values as they are shown."""

from __future__ import annotations

from stagewright.entrypoints.web.payloads import AT_ONCE_BYTES, highlighted, payload_of
from stagewright.entrypoints.web.rendering import embedded


def test_the_parts_of_json_are_told_apart() -> None:
    assert highlighted('{"a": [1, true, "x"]}') == (
        '{<span class="j-key">&#34;a&#34;</span>: [<span class="j-number">1</span>, '
        '<span class="j-word">true</span>, <span class="j-text">&#34;x&#34;</span>]}'
    )


def test_nothing_in_a_value_is_markup() -> None:
    shown = highlighted('{"<b>": "</pre><script>"} <i>')
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown


def test_a_big_value_is_shown_on_demand() -> None:
    big = payload_of("Output", b'"' + b"x" * AT_ONCE_BYTES + b'"', "/there")
    assert big is not None
    assert (big.big, big.text, big.href) == (True, "", "/there")
    small = payload_of("Output", b'{"a":1}')
    assert small is not None
    assert (small.big, small.lines) == (False, 3)


def test_json_inside_a_page_cannot_end_its_element() -> None:
    assert "<" not in embedded({"a": "</script><script>", "b": "\u2028&"})
    assert "\u2028" not in embedded("\u2028")
