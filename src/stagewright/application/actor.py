"""In whose name something is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who was let in, as the way in found them."""

    name: str
    key_id: str = ""
    door: str = ""
    """The way in: `api` or `cli`."""
    groups: tuple[str, ...] = ()
    """Groups of approvers they decide for."""
    speaks_for_others: bool = False
    """Whether a command may say who gives it: true of those who hold the store itself."""
