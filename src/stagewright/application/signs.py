"""Signs of life: who is alive, and who fell silent lately."""

from __future__ import annotations

from typing import Any

import orjson

from stagewright.ports.kv_store import IKVStore
from stagewright.ports.views import SilentView

AGENTS = "presence:agent:"
LATELY_MS = 600_000

Sign = dict[str, Any]
"""What a process said of itself, with its `holder`."""


async def signs_of_life(kv: IKVStore, prefix: str, now_ms: int) -> tuple[list[Sign], list[Sign]]:
    """Return the signs of those who are alive, and of those who fell silent lately.

    Whose clock is behind looks silent as well, and would not be seen at all otherwise.
    """
    found = await kv.scan(prefix, now_ms - LATELY_MS)
    signs = [
        {"holder": key[len(prefix) :], **orjson.loads(body)} for key, body in sorted(found.items())
    ]
    silent = [sign for sign in signs if _over(sign, now_ms)]
    return [sign for sign in signs if sign not in silent], silent


def silent_views(kind: str, signs: list[Sign]) -> list[SilentView]:
    """Return what is told of those who fell silent."""
    return [
        SilentView(kind=kind, holder=sign["holder"], told_at_ms=sign["told_at_ms"])
        for sign in signs
    ]


def _over(sign: Sign, now_ms: int) -> bool:
    """Whether what a sign of life promised is over; one that promises nothing lives."""
    told_at_ms, lasts_s = sign.get("told_at_ms"), sign.get("lasts_s")
    if told_at_ms is None or lasts_s is None:
        return False
    return bool(told_at_ms + lasts_s * 1_000 <= now_ms)
