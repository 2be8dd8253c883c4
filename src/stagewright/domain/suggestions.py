"""Remedies for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """A remedy that names the likeliest of the known names, if one is like the word."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else "Use one of these names."
