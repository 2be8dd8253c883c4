"""Whether Redis answers, and what survives there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import ResponseError

from stagewright.adapters.redis.server import Server
from stagewright.domain.errors import StagewrightError
from stagewright.ports.health import Durability, PortHealth

_SETTINGS = ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy")


_WORST: tuple[Durability, ...] = ("none", "window", "process", "replicated")


class Health:
    """Asks the server each time: people change its settings while it runs."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def check(self) -> PortHealth:
        """Return the durability class in force; not ok when a server does not answer."""
        sections = (("INFO", "persistence"), ("INFO", "replication"))
        commands = [*(("CONFIG", "GET", name) for name in _SETTINGS), *sections]
        answers, wanted = await self._server.call_each(commands), self._server.replicas
        return _together(
            {
                name: _replicated(_judged(replies), replies[-1], wanted)
                for name, replies in answers.items()
            }
        )


def _together(found: Mapping[str, PortHealth]) -> PortHealth:
    """Return the state of the worst server, which is that of all."""
    name, worst = min(found.items(), key=lambda one: (one[1].ok, _WORST.index(one[1].durability)))
    if not name:
        return worst
    where = f"{len(found)} masters, {name}: " if worst.ok else f"{name}: "
    return replace(worst, detail=where + worst.detail)


def _judged(replies: Sequence[Any]) -> PortHealth:
    *settings, info, _ = replies
    if isinstance(info, StagewrightError):
        return PortHealth(ok=False, durability="none", detail=str(info))
    if any(isinstance(reply, ResponseError) for reply in settings):
        return _from_info(info)
    values = map(_value, settings)
    return _from_settings(dict(zip(_SETTINGS, values, strict=True)))


def _replicated(health: PortHealth, info: object, wanted: int) -> PortHealth:
    """Raise the class of a server whose answers wait for replicas.

    One that keeps nothing itself comes back empty, and then its replicas are emptied too.
    """
    if not (health.ok and wanted):
        return health
    online = info.count(b"state=online") if isinstance(info, bytes) else wanted
    detail = f"{online} of {wanted} replicas; {health.detail}"
    if health.durability == "none":
        return replace(health, detail=f"{detail}: a restart would empty the replicas as well")
    if online < wanted:
        detail = f"nothing can be acknowledged: {detail}"
    return PortHealth(ok=online >= wanted, durability="replicated", detail=detail)


def _value(reply: list[bytes]) -> str:
    return reply[1].decode() if len(reply) > 1 else ""


def _from_settings(settings: Mapping[str, str]) -> PortHealth:
    durability, detail = _persistence(settings)
    policy = settings["maxmemory-policy"]
    if settings["maxmemory"] not in {"", "0"} and policy != "noeviction":
        detail += f"; maxmemory-policy {policy} may evict workflows: set it to noeviction"
    return PortHealth(ok=True, durability=durability, detail=detail)


def _persistence(settings: Mapping[str, str]) -> tuple[Durability, str]:
    if settings["appendonly"] == "yes":
        sync = settings["appendfsync"]
        if sync == "always":
            return "process", "append-only file, synced before every answer"
        return "window", f"append-only file, appendfsync {sync}"
    if settings["save"]:
        return "window", f"snapshots only, save {settings['save']}"
    return "none", "neither append-only file nor snapshots"


def _from_info(info: object) -> PortHealth:
    """How often the file is synced is not told here, so no more than `window` is claimed."""
    forbidden = "CONFIG is forbidden, so how often it syncs is not known"
    if not isinstance(info, bytes):
        return PortHealth(ok=True, durability="none", detail=f"{forbidden}, and INFO as well")
    if b"aof_enabled:1" in info:
        return PortHealth(ok=True, durability="window", detail=f"append-only file; {forbidden}")
    return PortHealth(ok=True, durability="none", detail=f"no append-only file; {forbidden}")
