"""Whether Redis answers, what survives there, and what people should mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import ResponseError

from stagewright.adapters.redis import concerns
from stagewright.adapters.redis.connection import Command
from stagewright.adapters.redis.errors import MAKE_ROOM, no_room, passes, refused
from stagewright.adapters.redis.server import Server
from stagewright.domain.errors import StagewrightError
from stagewright.ports.health import Concern, Durability, PortHealth
from stagewright.ports.system import IClock

_CHECKED: tuple[Command, ...] = (
    ("CONFIG", "GET", "appendonly", "appendfsync", "save", "bind", "protected-mode"),
    ("INFO", "persistence"),
    ("INFO", "replication"),
    # A script that could write and does not: refused exactly when changes are.
    ("EVAL", "#!lua\nreturn 1", 0),
)
_EXAMINED: tuple[Command, ...] = (
    ("INFO", "server", "memory"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "stagewright_*"),
    ("CLIENT", "LIST"),
    ("CLIENT", "INFO"),
    ("ACL", "GETUSER", "default"),
)
_WORST: tuple[Durability, ...] = ("none", "window", "process", "replicated")


class Health:
    """Asks the server each time: people change its settings while it runs."""

    def __init__(self, server: Server, clock: IClock) -> None:
        self._server, self._clock = server, clock

    async def check(self) -> PortHealth:
        """Return the durability class in force; not ok when a server does not answer."""
        answers = await self._server.call_each(_CHECKED)
        return _together({name: self._judged(replies) for name, replies in answers.items()})

    async def examine(self) -> PortHealth:
        """Return what `check` does, with all that people should mend."""
        before_ms = self._clock.now_ms()
        times = await self._server.call_each([("TIME",)])
        now_ms = (before_ms + self._clock.now_ms()) / 2  # the answers were made on half the way
        answers = await self._server.call_each((*_CHECKED, *_EXAMINED))
        found = {}
        for name, replies in answers.items():
            health = self._judged(replies)
            (time,) = times.get(name, [None])
            mend = (*health.concerns, *_concerns(replies), *_of_clock(now_ms, time))
            found[name] = replace(health, concerns=mend)
        return _together(found)

    def _judged(self, replies: Sequence[Any]) -> PortHealth:
        settings, persistence, replication, written, *_ = replies
        if isinstance(persistence, StagewrightError):
            kept: Durability = "replicated" if self._server.replicas else "none"
            return PortHealth(ok=False, durability=kept, detail=str(persistence))
        durability, detail = _durability(_pairs(settings), persistence)
        health = PortHealth(ok=True, durability=durability, detail=detail)
        if self._server.replicas:
            health = _replicated(health, replication, self._server.replicas)
        elif self._server.promotes and durability == "process" and _online(replication):
            detail = f"{detail}; but a replica that takes over may lack the last moments"
            health = replace(health, durability="window", detail=detail)
        return _refusing(health, written)


def _together(found: Mapping[str, PortHealth]) -> PortHealth:
    """Return the state of the worst server, which is that of all, with everybody's concerns."""
    name, worst = min(found.items(), key=lambda one: (one[1].ok, _WORST.index(one[1].durability)))
    if not name:
        return worst
    where = f"{len(found)} masters, {name}: " if worst.ok else f"{name}: "
    refusing = (f"{at}: {health.refusing}" for at, health in found.items() if health.refusing)
    mend = (
        replace(concern, found=f"{at}: {concern.found}")
        for at, health in found.items()
        for concern in health.concerns
    )
    return PortHealth(
        ok=worst.ok,
        durability=worst.durability,
        detail=where + worst.detail,
        refusing=next(refusing, ""),
        concerns=tuple(mend),
    )


def _refusing(health: PortHealth, written: Any) -> PortHealth:
    """Say why changes are refused, if they are; that the probe itself is forbidden says nothing."""
    if not isinstance(written, ResponseError):
        return health
    if no_room(written):
        check, remedy = "space", MAKE_ROOM
    elif passes(written):
        check, remedy = "writes", "Mend what it says; of a replica, name the master in `url`."
    else:
        return health
    why = refused(written).message
    return replace(health, refusing=why, concerns=(Concern(check, True, why, remedy),))  # noqa: FBT003


def _concerns(replies: Sequence[Any]) -> tuple[Concern, ...]:
    settings, (info, libraries, clients, me, user) = _pairs(replies[0]), replies[-5:]
    facts = _lines(info)
    return (
        *concerns.of_version(facts),
        *concerns.of_memory(facts),
        *concerns.of_password(settings, _or(user, []), _or(me, b"")),
        *concerns.of_libraries(_or(libraries, []), _or(clients, None)),
    )


def _of_clock(now_ms: float, time: Any) -> tuple[Concern, ...]:
    return tuple(concerns.of_clock(now_ms, _or(time, None)))


def _replicated(health: PortHealth, info: object, wanted: int) -> PortHealth:
    """Raise the class of a server whose answers wait for replicas.

    One that keeps nothing itself comes back empty, and then its replicas are emptied too.
    """
    if not health.ok:  # it answers nothing: what it answered before has waited
        return replace(health, durability="replicated")
    online = _online(info) if isinstance(info, bytes) else wanted
    detail = f"{online} of {wanted} replicas; {health.detail}"
    if health.durability == "none":
        return replace(health, detail=f"{detail}: a restart would empty the replicas as well")
    if online < wanted:
        detail = f"nothing can be acknowledged: {detail}"
    return PortHealth(ok=online >= wanted, durability="replicated", detail=detail)


def _online(info: object) -> int:
    return info.count(b"state=online") if isinstance(info, bytes) else 0


def _durability(settings: Mapping[str, str], info: object) -> tuple[Durability, str]:
    if settings:
        return _persistence(settings)
    forbidden = "CONFIG is forbidden, so how often it syncs is not known"
    if not isinstance(info, bytes):
        return "none", f"{forbidden}, and INFO as well"
    if b"aof_enabled:1" in info:  # how often it syncs is not told, so no more is claimed
        return "window", f"append-only file; {forbidden}"
    return "none", f"no append-only file; {forbidden}"


def _persistence(settings: Mapping[str, str]) -> tuple[Durability, str]:
    if settings["appendonly"] == "yes":
        sync = settings["appendfsync"]
        if sync == "always":
            return "process", "append-only file, synced before every answer"
        return "window", f"append-only file, appendfsync {sync}"
    if settings["save"]:
        return "window", f"snapshots only, save {settings['save']}"
    return "none", "neither append-only file nor snapshots"


def _pairs(reply: Any) -> dict[str, str]:
    """Return settings by name, none where asking for them is forbidden."""
    flat = [part.decode() for part in _or(reply, [])]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _lines(info: Any) -> dict[str, str]:
    text = _or(info, b"").decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _or(reply: Any, instead: Any) -> Any:
    """Return a reply, or something else when the server refused to give it."""
    return instead if isinstance(reply, Exception) else reply
