"""What a run leaves behind for its reader: a trace of all that happened, and counted facts."""

from __future__ import annotations

import hashlib
from collections import Counter

from stagewright.ports.system import IClock


class Records:
    """The trace of one run; equal runs have equal digests."""

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._began_ms = clock.now_ms()
        self._lines: list[tuple[int, str, str]] = []
        self.facts: Counter[str] = Counter()

    def tell(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self._lines.append((self._clock.now_ms() - self._began_ms, who, what))

    def fact(self, name: str, times: int = 1) -> None:
        """Count something that must happen sometimes."""
        if times:
            self.facts[name] += times

    def lines(self) -> list[str]:
        """Return the trace for people: seconds, who, what."""
        return [f"{at_ms / 1_000:9.3f}  {who:<15} {what}" for at_ms, who, what in self._lines]

    @property
    def digest(self) -> str:
        """Hash of everything that happened, and when."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()
