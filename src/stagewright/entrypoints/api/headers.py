"""What every answer tells browsers: to load nothing from elsewhere, and to let nobody look in."""

from __future__ import annotations

import secrets

from stagewright.entrypoints.api.bounds import Message, Scope, Send
from stagewright.entrypoints.api.door import PREFIX

NONCE_KEY = "csp_nonce"
_HTML = b"text/html"
_FOR_ALL = (
    (b"x-content-type-options", b"nosniff"),
    # `no-referrer` would make browsers send `Origin: null` with forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_STORE_NOTHING = (b"cache-control", b"no-store")


def with_headers(scope: Scope, send: Send) -> Send:
    """Return a `send` that completes the headers of the answer.

    A page's nonce is `request.state.csp_nonce`, fresh for each request: only `<script nonce=...>`
    and `<style nonce=...>` that carry it count. Handlers in attributes never do.
    """
    nonce = scope["state"][NONCE_KEY] = secrets.token_urlsafe(16)

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            message = {**message, "headers": complete(given, scope["path"], nonce)}
        await send(message)

    return sending


def complete(given: list[tuple[bytes, bytes]], path: str, nonce: str) -> list[tuple[bytes, bytes]]:
    """Return headers with ours. What is answered by the interface itself is never stored."""
    names = {name.lower(): value for name, value in given}
    html = names.get(b"content-type", b"").startswith(_HTML)
    policy = _PAGE_POLICY.format(nonce=nonce).encode() if html else _DATA_POLICY
    ours = [*_FOR_ALL, (b"content-security-policy", policy)]
    if path.startswith(PREFIX):
        given = [header for header in given if header[0].lower() != b"cache-control"]
        ours.append(_STORE_NOTHING)
    elif b"cache-control" not in names:
        ours.append(_STORE_NOTHING)
    replaced = {name for name, _ in ours}
    return [*(header for header in given if header[0].lower() not in replaced), *ours]
