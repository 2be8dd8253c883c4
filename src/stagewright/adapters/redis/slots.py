"""Which node of a cluster serves which slot, as far as this process knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from stagewright.adapters.redis.connection import Argument, Command, Place

_CALLS = frozenset({"FCALL", "FCALL_RO"})
_FIRST_KEY, _FIRST_KEY_OF_A_CALL = 1, 3


def key_of(command: Command) -> Argument:
    """Return the first key (or channel) of a command; all its keys share a slot."""
    return command[_FIRST_KEY_OF_A_CALL if command[0] in _CALLS else _FIRST_KEY]


def slot_of(key: Argument) -> int:
    """Return the slot of a key."""
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


class SlotMap:
    """Places by slot. What is wrong here is put right by the node that is asked."""

    def __init__(self) -> None:
        self._places: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS

    def place(self, slot: int) -> Place | None:
        """Return the master of a slot, None when no master is known."""
        return self._places[slot]

    def moved(self, slot: int, place: Place) -> None:
        """Note that a slot is served elsewhere."""
        self._places[slot] = place

    def replace(self, reply: Sequence[Any], asked: Place) -> None:
        """Take over the answer to CLUSTER SLOTS; a node without a name has that of who answered."""
        places: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, master, *_ in reply:
            place = (_text(master[0]) or asked[0], int(master[1]))
            places[first : last + 1] = [place] * (last + 1 - first)
        self._places = places

    @property
    def masters(self) -> list[Place]:
        """Every place that serves a slot."""
        return sorted({place for place in self._places if place is not None})


def _text(name: bytes | str | None) -> str:
    """Return a host; a node that does not know its own says nothing or `?`."""
    found = name.decode() if isinstance(name, bytes) else name or ""
    return "" if found == "?" else found
