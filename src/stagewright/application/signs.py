"""Signs of life: who is alive, and who fell silent lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from stagewright.ports.kv_store import IKVStore
from stagewright.ports.views import SilentView

AGENTS = "presence:agent:"
LATELY_S = 600.0

Sign = dict[str, Any]
"""What a process said of itself, with its `holder`."""


async def give_sign(
    kv: IKVStore, key: str, facts: Mapping[str, Any], *, next_s: float, lasts_s: float, now_ms: int
) -> None:
    """Say that who has the key is alive for `lasts_s`, and will say so again within `next_s`.

    The store keeps it longer than it holds, so that those who fell silent can be told of. How long
    it holds is for whoever reads it to judge, by what stands in it.
    """
    sign = {**facts, "told_at_ms": now_ms, "next_s": next_s, "lasts_s": lasts_s}
    await kv.set(key, orjson.dumps(sign), lasts_s + LATELY_S, now_ms)


async def signs_of_life(kv: IKVStore, prefix: str, now_ms: int) -> tuple[list[Sign], list[Sign]]:
    """Return the signs of those who are alive, and of those who fell silent lately.

    Whose clock is behind looks silent as well, and would not be seen at all otherwise.
    """
    signs = read_signs(await kv.scan(prefix, now_ms), prefix)
    alive = [sign for sign in signs if holds(sign, now_ms)]
    return alive, [sign for sign in signs if sign not in alive]


def read_signs(found: Mapping[str, bytes], prefix: str) -> list[Sign]:
    """Return the signs that stand under a prefix, by holder; other keys are left out."""
    return [
        {"holder": key.removeprefix(prefix), **orjson.loads(body)}
        for key, body in sorted(found.items())
        if key.startswith(prefix)
    ]


def holds(sign: Sign, now_ms: int) -> bool:
    """Whether what a sign of life promised still holds; one that promises nothing does."""
    told_at_ms, lasts_s = sign.get("told_at_ms"), sign.get("lasts_s")
    if told_at_ms is None or lasts_s is None:
        return True
    return bool(now_ms < told_at_ms + lasts_s * 1_000)


def silent_views(kind: str, signs: Iterable[Sign]) -> list[SilentView]:
    """Return what is told of those who fell silent."""
    return [
        SilentView(kind=kind, holder=sign["holder"], told_at_ms=sign["told_at_ms"])
        for sign in signs
    ]
