"""Which requests a server takes for its own: by name, by origin, and by what browsers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stagewright.domain.errors import ForeignRequest

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({b"same-origin", b"none"})
_DEFAULT_PORTS = (":80", ":443")

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guard of a server is told."""

    hosts: frozenset[str] = LOOPBACK_NAMES
    """Names, without port, that the server answers to."""
    development: bool = False
    """Whoever comes from this machine, and is no foreign web page, needs no key."""
    sign_in: str | None = None
    """Where a browser without a session is sent; None: it is refused like everybody else."""
    open_prefixes: tuple[str, ...] = ("/static/",)
    """Files that anybody may read."""


def check_host(headers: Headers, rules: Rules) -> None:
    """Raise ForeignRequest for a name that is not ours: so no page reaches us by rebinding a name.

    A web page that lets its own name point to this machine still sends that name.
    """
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if name_of(host) not in rules.hosts:
        raise ForeignRequest(
            f"This server does not answer to the name {host[:100]!r}.",
            remedy="Use its address, or name it in the setting `allowed_hosts`.",
        )


def check_origin(headers: Headers, method: str, path: str, prefix: str) -> None:
    """Raise ForeignRequest for what a browser sends on behalf of another site.

    Browsers name the page's origin and site; programs do neither. A link that is followed from
    elsewhere may show a page, but calls nothing of the interface under `prefix`.
    """
    origin = headers.get(b"origin")
    if origin is not None and not _own_origin(origin, headers):
        raise _foreign(f"a page of {origin[:100].decode('latin-1')!r}")
    site = headers.get(b"sec-fetch-site")
    if site is None or site in _OWN_SITES:
        return
    followed = (
        method in {"GET", "HEAD"}
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    )
    if not followed or path.startswith(prefix):
        raise _foreign("a page of another site")


def check_user(headers: Headers, method: str) -> None:
    """Raise ForeignRequest for a change that a browser sends without saying from which page."""
    if method not in SAFE_METHODS and headers.get(b"sec-fetch-site") == b"none":
        raise _foreign("no page at all")


def _own_origin(origin: bytes, headers: Headers) -> bool:
    scheme, mark, place = origin.decode("latin-1").lower().partition("://")
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return bool(mark) and scheme in {"http", "https"} and _bare(place) == _bare(host)


def _bare(host: str) -> str:
    """Return a host without the port that its scheme implies: proxies may add or drop it."""
    for port in _DEFAULT_PORTS:
        host = host.removesuffix(port)
    return host


def name_of(host: str) -> str:
    """Return a host without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _foreign(whose: str) -> ForeignRequest:
    return ForeignRequest(
        f"This request was sent by {whose}, not by one of this server.",
        remedy="Open the server's own address. Programs send neither Origin nor Sec-Fetch-Site.",
    )
