"""What forms send."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

_MOST_FIELDS = 5_000


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of several with one name the last."""
    body = (await request.body()).decode("utf-8", "replace")
    return dict(_pairs(body))


async def _lists(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form with all their values."""
    body = (await request.body()).decode("utf-8", "replace")
    found: dict[str, list[str]] = {}
    for name, value in _pairs(body):
        found.setdefault(name, []).append(value)
    return found


def _pairs(body: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    return [(name, value.replace("\r\n", "\n")) for name, value in pairs]


TheForm = Annotated[dict[str, str], Depends(_form)]
TheLists = Annotated[dict[str, list[str]], Depends(_lists)]
