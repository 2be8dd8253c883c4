"""What a request brings to show who sends it: a key in a header, or a session in a cookie."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from stagewright.entrypoints.api.rules import Headers

COOKIE = "stagewright_session"
CSRF_HEADER = b"x-csrf-token"
_BEARER = b"bearer "
_COOKIE_LIMIT_BYTES = 4_096
_TOKEN_LENGTH = range(20, 201)


def secret_in(headers: Headers) -> str | None:
    """Return the key in `Authorization: Bearer KEY`, "" for what is none; None without header."""
    given = headers.get(b"authorization")
    if given is None:
        return None
    if given[: len(_BEARER)].lower() != _BEARER:
        return ""
    return given[len(_BEARER) :].strip().decode("latin-1")


def session_in(headers: Headers) -> str | None:
    """Return the session's token in the cookies; None when there is nothing like it."""
    given = headers.get(b"cookie", b"")
    if COOKIE.encode() not in given or len(given) > _COOKIE_LIMIT_BYTES:
        return None
    try:
        found = SimpleCookie(given.decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and len(found.value) in _TOKEN_LENGTH else None


def csrf_of(session: str) -> str:
    """Return what a page of this session sends as `X-CSRF-Token`; it does not tell the session."""
    return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest()


def proves_page(headers: Headers, session: str) -> bool:
    """Whether a request comes from a page that this server made for this session."""
    given = headers.get(CSRF_HEADER, b"")
    return hmac.compare_digest(given, csrf_of(session).encode())


def cookie_of(session: str, max_age_s: int, *, https: bool) -> str:
    """Return the value of `Set-Cookie`; an age of 0 takes the cookie back."""
    parts = [f"{COOKIE}={session}", "Path=/", f"Max-Age={max_age_s}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if https else parts)
