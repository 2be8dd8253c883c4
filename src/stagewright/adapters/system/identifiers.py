"""Unique ids from the machine's entropy."""

from __future__ import annotations

import os
import secrets

import uuid_utils

_SHORT_DIGITS = 16
_BUFFER_BYTES = 4_096
_SECRET_BYTES = 32


class SystemIdentifiers:
    """Ids that no other process draws."""

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0
        # A forked child draws its own: sharing the parent's buffer would repeat ids.
        os.register_at_fork(after_in_child=self._refill)

    def uuid7(self) -> str:
        """Return a UUIDv7 as 32 hex digits."""
        return uuid_utils.uuid7().hex

    def short(self) -> str:
        """Return 16 hex digits; entropy is fetched for 512 of them at a time."""
        if self._used >= len(self._digits):
            self._refill()
        start = self._used
        self._used = start + _SHORT_DIGITS
        return self._digits[start : self._used]

    def secret(self) -> str:
        """Return 256 bits of the machine's entropy in URL-safe base64."""
        return secrets.token_urlsafe(_SECRET_BYTES)

    def _refill(self) -> None:
        self._digits = os.urandom(_BUFFER_BYTES).hex()
        self._used = 0
