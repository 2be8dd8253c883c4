"""Pages and fragments: one environment of templates, in which every value is text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stagewright.entrypoints.api.access import STATE_KEY, Principal, Scope
from stagewright.entrypoints.web import states, words
from stagewright.entrypoints.web.assets import assets

TEMPLATES = Path(__file__).with_name("templates")
_TIME = Markup(
    '<time datetime="{iso}" title="{exact}" data-at="{at_ms}" data-shown="{shown}">{text}</time>'
)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the navigation."""

    name: str
    title: str
    href: str
    icon: str


NAVIGATION = (
    Item("activity", "Activity", "/", "activity"),
    Item("workflows", "Workflows", "/workflows", "workflows"),
    Item("approvals", "Approvals", "/approvals", "approval"),
    Item("dead-letters", "Dead letters", "/dead-letters", "letter"),
    Item("definitions", "Definitions", "/definitions", "branches"),
    Item("agents", "Agents", "/agents", "agent"),
    Item("system", "System", "/system", "system"),
)


@cache
def environment() -> Environment:
    """Return the environment of all templates; a name that is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(static=assets().base, navigation=NAVIGATION, Scope=Scope)
    made.globals.update(of_status=states.of_status, of_waiting=states.of_waiting)
    made.globals.update(of_outcome=states.of_outcome, count=words.count)
    made.filters.update(
        duration=words.duration,
        number=words.number,
        pretty=words.pretty,
        short_id=words.short_id,
        size=words.size,
        title_case=words.title,
        exact=words.exact,
        iso=words.iso,
        embedded=embedded,
    )
    return made


def embedded(value: Any) -> Markup:
    """Return JSON that can stand inside a script element: no text in it can end the element."""
    text = orjson.dumps(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - nothing in it is markup any more


def page(
    request: Request, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HTMLResponse:
    """Return a page, or only its main part when a script of ours asks for it.

    The context holds at least `title`, and `nav`, the name of the entry of the navigation.
    """
    partial = request.headers.get("hx-request-type") == "partial"
    layout = "partial.html" if partial else "layout.html"
    body = render(request, template, {"layout": layout, **context})
    headers = {"cache-control": "no-store", "content-security-policy": _policy(request)}
    return HTMLResponse(body, status, headers=headers)


def _policy(request: Request) -> str:
    """Return what a page may load: files of this server alone; a guard may say it stricter."""
    nonce = getattr(request.state, "csp_nonce", "")
    scripts = f"'nonce-{nonce}'" if nonce else "'self'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def fragment(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return a part of a page."""
    body = render(request, template, context)
    return HTMLResponse(body, status, headers={"cache-control": "no-store", **(headers or {})})


def render(request: Request, template: str, context: Mapping[str, Any]) -> str:
    """Return a template filled for whoever asks."""
    now_ms = now_of(request)
    found = environment().get_template(template)
    return found.render(
        {
            "live": None,
            "fresh": False,
            "now_ms": now_ms,
            "when": lambda at_ms: when(at_ms, now_ms),
            "me": _principal(request),
            "csrf_token": getattr(request.state, "csrf_token", ""),
            "csp_nonce": getattr(request.state, "csp_nonce", ""),
            **context,
        }
    )


def now_of(request: Request) -> int:
    """Return the present instant (ms) by the application's clock."""
    now_ms: int = request.app.state.clock.now_ms()
    return now_ms


def when(at_ms: int | None, now_ms: int, shown: str = "ago") -> Markup:
    """Return an instant as people say it, with the exact one on hover; a dash for None."""
    if at_ms is None:
        return Markup("–")  # noqa: RUF001 - a dash for what is not known
    return _TIME.format(
        iso=words.iso(at_ms),
        exact=words.exact(at_ms),
        at_ms=at_ms,
        shown=shown,
        text=words.ago(at_ms, now_ms),
    )


def _principal(request: Request) -> Principal | None:
    """Return who asks; nobody yet on the page for signing in."""
    found: Principal | None = request.scope.get("state", {}).get(STATE_KEY)
    return found
