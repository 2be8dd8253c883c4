"""Values as they are shown: whole when small, on demand when big, always as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from stagewright.entrypoints.web import words

AT_ONCE_BYTES = 65_536
_TOKENS = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b|(?P<word>\b(?:true|false|null)\b)"
)


@dataclass(frozen=True, slots=True)
class Payload:
    """A value to show; `text` is empty when it is too big to be shown at once."""

    title: str
    text: str
    size_bytes: int
    href: str = ""
    """Where the whole of a big one is."""

    @property
    def big(self) -> bool:
        """Whether it is shown on demand only."""
        return self.size_bytes > AT_ONCE_BYTES

    @property
    def lines(self) -> int:
        """Lines of the text."""
        return self.text.count("\n") + 1

    @property
    def code(self) -> Markup:
        """The text with its parts told apart."""
        return highlighted(self.text)


def payload_of(title: str, body: bytes | None, href: str = "") -> Payload | None:
    """Return stored JSON as it is shown; None for nothing."""
    if body is None:
        return None
    if len(body) > AT_ONCE_BYTES:
        return Payload(title, "", len(body), href)
    return Payload(title, words.pretty_bytes(body), len(body), href)


def payload_of_value(title: str, value: Any) -> Payload | None:
    """Return a value as it is shown; None for nothing."""
    if value is None:
        return None
    text = words.pretty(value)
    big = len(text) > AT_ONCE_BYTES
    return Payload(title, "" if big else text, len(text.encode()))


def highlighted(text: str) -> Markup:
    """Return JSON as markup in which every part of the text is escaped."""
    return Markup("").join(_parts(text))


def _parts(text: str) -> Iterator[Markup]:
    at = 0
    for match in _TOKENS.finditer(text):
        yield escape(text[at : match.start()])
        yield Markup('<span class="j-{}">{}</span>').format(match.lastgroup, match.group())
        at = match.end()
    yield escape(text[at:])
