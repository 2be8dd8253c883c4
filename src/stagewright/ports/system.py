"""Time, identity, randomness and other processes: the ports that make a run repeatable."""

from __future__ import annotations

from typing import Protocol


class IClock(Protocol):
    """Time. Safety never rests on it."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch (UTC), near the store's time."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, for measuring durations."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Sleep; the only way to wait for time in the application."""
        ...


class IIdentifiers(Protocol):
    """Unique ids."""

    def uuid7(self) -> str:
        """Return a UUIDv7 as 32 hex digits: sortable by time."""
        ...

    def short(self) -> str:
        """Return 16 hex digits, unique for ever with overwhelming likelihood: step ids."""
        ...

    def secret(self) -> str:
        """Return 43 letters, digits, dashes and underscores: 256 bits that nobody can guess."""
        ...


class IRandom(Protocol):
    """Randomness for jitter and spreading."""

    def random(self) -> float:
        """Return a float in [0, 1)."""
        ...


class IProcesses(Protocol):
    """The processes of this host, as far as one can see them."""

    def mine(self) -> str:
        """Return a name of this process that no other ever has; empty when there is none."""
        ...

    def ended(self, process: str) -> bool:
        """Whether who has this name is certain to have ended; False wherever that is not known."""
        ...
