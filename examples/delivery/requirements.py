"""Requirements are plain sentences. This is the whole language the pipeline understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Expectations:
    """What the later stages hold the service to; the defaults apply when nothing is asked for."""

    coverage_percent: int = 75
    answer_within_ms: int | None = None
    max_body_bytes: int = 65_536
    search_ignores_case: bool = False
    survives_restart: bool = False


@dataclass(frozen=True)
class Sentence:
    """One kind of requirement. `N` in the wording is a whole number from `least` to `most`."""

    wording: str
    apply: Callable[[Expectations, int], Expectations]
    least: int = 0
    most: int = 0

    @property
    def pattern(self) -> re.Pattern[str]:
        """The wording as a pattern; spaces are free and a final full stop is too."""
        words = re.escape(self.wording).replace("N", r"(\d{1,9})", 1)
        return re.compile(words.replace(r"\ ", r"\s*") + r"\.?", re.IGNORECASE)


SENTENCES = (
    Sentence(
        "test coverage of at least N %",
        lambda known, n: replace(known, coverage_percent=n),
        least=1,
        most=100,
    ),
    Sentence(
        "answers within N ms",
        lambda known, n: replace(known, answer_within_ms=n),
        least=20,
        most=60_000,
    ),
    Sentence(
        "bodies above N KiB are refused",
        lambda known, n: replace(known, max_body_bytes=n * 1024),
        least=1,
        most=1024,
    ),
    Sentence("search ignores case", lambda known, _: replace(known, search_ignores_case=True)),
    Sentence("records survive a restart", lambda known, _: replace(known, survives_restart=True)),
)


def understand(requirements: Iterable[str]) -> tuple[Expectations, list[str]]:
    """Return what is asked for, and one line (field first) for each sentence that cannot be met."""
    known, problems = Expectations(), []
    for index, text in enumerate(requirements):
        try:
            known = _apply(known, text)
        except ValueError as error:
            problems.append(f"requirements[{index}]: {error}")
    return known, problems


def expectations(requirements: Iterable[str]) -> Expectations:
    """What an already accepted request asks for."""
    return understand(requirements)[0]


def _apply(known: Expectations, text: str) -> Expectations:
    for sentence in SENTENCES:
        if found := sentence.pattern.fullmatch(text.strip()):
            return sentence.apply(known, _number(sentence, found))
    can = ", ".join(f"'{sentence.wording}'" for sentence in SENTENCES)
    message = f"'{text}' is nothing this pipeline can build or check; it understands {can}"
    raise ValueError(message)


def _number(sentence: Sentence, found: re.Match[str]) -> int:
    if not found.groups():
        return 0
    number = int(found.group(1))
    if not sentence.least <= number <= sentence.most:
        message = (
            f"'{sentence.wording}' cannot be met with N = {number}, "
            f"only from {sentence.least} to {sentence.most}"
        )
        raise ValueError(message)
    return number
