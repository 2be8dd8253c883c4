"""What a planted bug is: one exact text of one file, and the wrong text in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOURCE = Path("src/stagewright")


class CannotPlant(Exception):
    """The text that a bug replaces is not there exactly once."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One mistake of the sort that this field is known for."""

    name: str
    """The mistake as a short sentence without its subject: "acknowledges before the commit"."""
    file: str
    """Below `src/stagewright`."""
    right: str
    """The exact text that goes; it stands once in the file."""
    wrong: str
    """The text that comes in its place."""
    caught_by: str = ""
    """The harness that should catch it; empty when none can."""
    why: str = ""
    """Why nothing catches it, for those that are known to survive."""

    @property
    def path(self) -> Path:
        """The file, from the root of the repository."""
        return SOURCE / self.file

    def plant(self, text: str) -> str:
        """Return the file's text with the mistake in it; raise CannotPlant."""
        if (found := text.count(self.right)) != 1:
            msg = f"{self.name}: its text stands {found} times in {self.path}, expected once"
            raise CannotPlant(msg)
        return text.replace(self.right, self.wrong)
