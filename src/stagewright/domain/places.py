"""Where in a document something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self


class At(str):
    """A problem as a sentence that begins with its place, and that place as a JSON pointer."""

    __slots__ = ("pointer",)
    pointer: str

    def __new__(cls, text: str, pointer: str) -> Self:
        """Return the sentence, which knows its place."""
        self = super().__new__(cls, text)
        self.pointer = pointer
        return self

    @classmethod
    def field(cls, path: Iterable[object], message: str) -> Self:
        """Return the problem of a field: keys and indexes from the root of the document."""
        parts = [str(part) for part in path]
        where = ".".join(parts)
        return cls(f"{where}: {message}" if where else message, pointer(parts))

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.pointer


def pointer(parts: Iterable[str]) -> str:
    """Return a JSON pointer (RFC 6901); empty for the whole document."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)
