"""Static files: read once, named by their content, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stagewright.domain.errors import ConfigurationError

FOLDER = Path(__file__).with_name("static")
NEEDED = ("vendor/htmx.js", "vendor/dagre.js")
"""Files of others: fetched by `make setup`, and part of the package that is installed."""
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files by path, and the address under which they are served."""

    files: dict[str, Asset]
    base: str
    """`/static/DIGEST`: another content has another address."""


@cache
def assets(folder: Path = FOLDER) -> Assets:
    """Return the static files; ConfigurationError names those that are missing."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(
            "dashboard",
            f"Files of the dashboard are missing: {', '.join(missing)}.",
            remedy="Run `make setup`, or install the package again.",
        )
    files = {
        path.relative_to(folder).as_posix(): Asset(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES
    }
    digest = hashlib.sha256()
    for name, asset in files.items():
        digest.update(name.encode() + b"\0" + asset.body)
    return Assets(files, f"/static/{digest.hexdigest()[:12]}")
