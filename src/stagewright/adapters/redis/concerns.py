"""What people should mend about a server, from what it says of itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from stagewright.adapters.redis.library import library
from stagewright.ports.health import Concern

_NEARLY_FULL = 0.9
_SKEW_MS = 2_000
_BAD_SKEW_MS = 5_000
"""From half of a partition's lease on, owners and heartbeats are misjudged."""
_ADDRESS = re.compile(r"\bladdr=(\S+)")
_NAME = re.compile(rb"\bname=(stagewright_[0-9a-f]+)")

KNOWN_LOSSES = (
    ((7, 0, 0), (7, 0, 3), "a power cut may take a whole part of the append-only file"),
    ((7, 0, 0), (7, 0, 5), "a power cut after a rewrite may take what was answered before it"),
)
"""First version with it, first version without it, what may be lost: by the release notes of Redis
the folder of the append-only file was not synced, and neither was the old file at a rewrite."""


def of_version(info: Mapping[str, str]) -> Iterator[Concern]:
    """Name defects of this very version that lose data."""
    said = info.get("redis_version", "")
    version = tuple(int(part) for part in said.split(".") if part.isdecimal())
    for first, mended, what in KNOWN_LOSSES:
        if first <= version < mended:
            name = ".".join(map(str, mended))
            remedy = f"Update Redis to {name} or newer."
            yield Concern("version", serious=True, found=f"Redis {said}: {what}", remedy=remedy)


def of_memory(info: Mapping[str, str]) -> Iterator[Concern]:
    """Name a policy that throws workflows away, and memory that is nearly used up."""
    limit, used = int(info.get("maxmemory", "0")), int(info.get("used_memory", "0"))
    policy = info.get("maxmemory_policy", "noeviction")
    if limit and policy != "noeviction":
        found = f"maxmemory-policy {policy} may evict workflows"
        remedy = "Run `redis-cli CONFIG SET maxmemory-policy noeviction`, and set it in redis.conf."
        yield Concern("memory policy", serious=True, found=found, remedy=remedy)
    if _NEARLY_FULL * limit < used <= limit:
        found = f"{_mb(used)} of {_mb(limit)} (maxmemory) are used"
        yield Concern("memory", serious=False, found=found, remedy="Raise `maxmemory` in time.")


def of_password(
    settings: Mapping[str, str], user: Sequence[object], me: bytes
) -> Iterator[Concern]:
    """Name a server that lets everybody in from other machines."""
    facts = dict(zip(user[::2], user[1::2], strict=False))
    flags = facts.get(b"flags", [])
    if not isinstance(flags, list) or b"nopass" not in flags or b"on" not in flags:
        return
    reached = _ADDRESS.search(me.decode())
    through = reached[1].rpartition(":")[0] if reached else ""
    if not _loopback(through):
        where = f"we came in through {through}"
    elif settings.get("protected-mode") == "no" and _beyond(settings.get("bind", "127.0.0.1")):
        where = f"it listens on {settings['bind'] or 'all addresses'}, without protected-mode"
    else:
        return
    yield Concern(
        "password",
        serious=True,
        found=f"the default user needs no password, and {where}",
        remedy="Set `requirepass` or ACL users in redis.conf and name the password in `url`, or "
        "bind 127.0.0.1.",
    )


def of_clock(now_ms: float, time: Sequence[bytes] | None) -> Iterator[Concern]:
    """Name a clock of ours that is not the server's; `time` is what TIME answers."""
    if time is None:
        return
    skew_ms = now_ms - (int(time[0]) * 1_000 + int(time[1]) / 1_000)
    if abs(skew_ms) > _SKEW_MS:
        way = "ahead of" if skew_ms > 0 else "behind"
        yield Concern(
            "clock",
            serious=abs(skew_ms) > _BAD_SKEW_MS,
            found=f"this machine's clock is {abs(skew_ms) / 1_000:.1f} s {way} the server's",
            remedy="Let both follow the same time server (chrony, systemd-timesyncd).",
        )


def of_libraries(listed: Sequence[Sequence[bytes]], clients: bytes | None) -> Iterator[Concern]:
    """Name Function libraries of other versions, and which of them nobody uses.

    A connection carries the name of the library that it uses; `clients` is None where they may not
    be listed.
    """
    names = {entry[entry.index(b"library_name") + 1].decode() for entry in listed}
    others = sorted(names - {library().name})
    if not others:
        return
    users = Counter(name.decode() for name in _NAME.findall(clients or b""))
    idle = [name for name in others if not users[name]]
    busy = [f"{name} ({users[name]} connected)" for name in others if users[name]]
    if busy:
        found = f"other versions of Stagewright are at work here: {', '.join(busy)}"
        remedy = "Finish the deploy, or end the processes of the other version."
        yield Concern("functions", serious=False, found=found, remedy=remedy)
    if idle:
        sure = "unused" if clients is not None else "perhaps unused (CLIENT LIST is forbidden)"
        yield Concern(
            "functions",
            serious=False,
            found=f"{sure} libraries of other versions: {', '.join(idle)}",
            remedy="Run " + ", ".join(f"`redis-cli FUNCTION DELETE {name}`" for name in idle) + ".",
        )


def _loopback(address: str) -> bool:
    host = address.strip("[]-")
    return not host or host.startswith(("127.", "/")) or host in {"::1", "localhost"}


def _beyond(bind: str) -> bool:
    return not bind or any(not _loopback(address) for address in bind.split())


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.1f} MB"
