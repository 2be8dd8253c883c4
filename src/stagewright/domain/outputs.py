"""Outputs of a workflow's stages by output key: raw as stored, parsed when looked into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stagewright.domain.envelope import BlobRef, blob_ref

_BLOB_PREFIX = b'{"$blob":'


class OutputMissing(Exception):
    """A big output must be fetched before this can be decided; fetch it and decide again."""

    def __init__(self, key: str, blob: BlobRef) -> None:
        super().__init__(f"output {key} lies in blob {blob.hash}")
        self.key = key
        self.blob = blob


class Outputs:
    """Raw outputs with parsed values kept beside them. Grows, never changes."""

    __slots__ = ("_fetched", "_raw", "_values")

    def __init__(self, raw: Mapping[str, bytes] | None = None) -> None:
        self._raw: dict[str, bytes] = dict(raw or {})
        self._values: dict[str, Any] = {}
        self._fetched: dict[str, bytes] = {}
        """By content hash, so that a later version of an output is not taken for this one."""

    def add(self, key: str, raw: bytes) -> None:
        """Add a new output; adding it again changes nothing."""
        if self._raw.setdefault(key, raw) != raw:
            # A decision that was lost to a conflict may have left its version here.
            self._raw[key] = raw
            self._values.pop(key, None)

    def supply(self, blob: BlobRef, body: bytes) -> None:
        """Supply the body of a big output that was fetched."""
        self._fetched[blob.hash] = body

    def raw(self, key: str | None) -> bytes:
        """Return the stored form (perhaps a blob reference); JSON null for None or unknown keys."""
        return b"null" if key is None else self._raw.get(key, b"null")

    def value(self, key: str | None) -> Any:
        """Return the parsed value; raise OutputMissing for a big one that was not supplied."""
        if key is None or key not in self._raw:
            return None
        if key not in self._values:
            self._values[key] = orjson.loads(self._body(key))
        return self._values[key]

    def _body(self, key: str) -> bytes:
        raw = self._raw[key]
        blob = stored_blob(raw)
        if blob is None:
            return raw
        if blob.hash not in self._fetched:
            raise OutputMissing(key, blob)
        return self._fetched[blob.hash]

    def all_raw(self) -> Mapping[str, bytes]:
        """Return everything as stored."""
        return self._raw


def stored_blob(raw: bytes) -> BlobRef | None:
    """Return the reference that a stored output is, None for an output stored whole."""
    return blob_ref(orjson.loads(raw)) if raw.startswith(_BLOB_PREFIX) else None
