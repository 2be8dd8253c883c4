"""URLs of places where workflows live."""

from __future__ import annotations

import re
from pathlib import Path

from stagewright.domain.errors import ConfigurationError

SQLITE, MEMORY = "sqlite", "memory"
REDIS = frozenset({"redis", "rediss", "redis+cluster", "rediss+cluster", "unix"})
DOOR = frozenset({"http", "https"})
KNOWN = ("memory://", "sqlite:///PATH", "redis://HOST:PORT/N", "http://127.0.0.1:PORT")

_CREDENTIALS = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^/@\s:]*):[^/@\s]+@", re.IGNORECASE)
_SECRET_PARAMETERS = re.compile(r"(?P<before>[?&](?:password|token|secret)=)[^&\s]+", re.IGNORECASE)


def scheme_of(url: str) -> str:
    """Return the scheme; raise ConfigurationError for a URL without one."""
    scheme, mark, _ = url.partition("://")
    if not mark:
        raise ConfigurationError(
            "url",
            f"{without_secrets(url)!r} has no scheme.",
            remedy=f"Write one of {', '.join(KNOWN)}.",
        )
    return scheme.lower()


def unknown_scheme(url: str) -> ConfigurationError:
    """The error for a scheme that no adapter serves."""
    return ConfigurationError(
        "url",
        f"No backend for {scheme_of(url)}://.",
        remedy=f"Known: {', '.join(KNOWN)}.",
    )


def sqlite_path(url: str) -> Path:
    """Return the path of a `sqlite:///` URL: three slashes relative, four absolute."""
    if not url.lower().startswith("sqlite:///") or url[len("sqlite:///") :] in {"", "/"}:
        raise ConfigurationError(
            "url",
            f"{url!r} names no file.",
            remedy="Write sqlite:///PATH (four slashes: absolute).",
        )
    return Path(url[len("sqlite:///") :])


def absolute_url(url: str, base: Path) -> str:
    """Return a SQLite URL with its path made absolute from `base`; others unchanged."""
    if not isinstance(url, str) or not url.lower().startswith("sqlite:"):
        return url
    return f"sqlite:///{(base / sqlite_path(url).expanduser()).resolve()}"


def without_secrets(text: str) -> str:
    """Return text with the passwords of URLs in it replaced by `***`."""
    if "://" not in text:
        return text
    hidden = _CREDENTIALS.sub(r"\g<before>:***@", text)
    return _SECRET_PARAMETERS.sub(r"\g<before>***", hidden)
