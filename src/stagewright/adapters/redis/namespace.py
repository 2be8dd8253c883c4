"""What is settled when a namespace is opened: the server's version, the number of partitions."""

from __future__ import annotations

from typing import Any

from stagewright.adapters.redis.connection import Command, checked
from stagewright.adapters.redis.keys import partition_count
from stagewright.adapters.redis.server import Server
from stagewright.domain.errors import ConfigurationError

DEFAULT_PARTITIONS = 4
MOST_PARTITIONS = 1_024
OLDEST_VERSION = (7, 0)


def supported(info: object) -> None:
    """Raise ConfigurationError when a server says that it is too old to have Functions."""
    if not isinstance(info, bytes):  # forbidden: a call of a Function will tell
        return
    lines = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    version = lines.get("redis_version", "")
    numbers = tuple(int(number) for number in version.split(".")[:2] if number.isdecimal())
    if numbers and numbers < OLDEST_VERSION:
        raise ConfigurationError(
            "url", f"the server is Redis {version}.", remedy="Redis 7.0 or newer is needed."
        )


async def created(server: Server, namespace: str, partitions: int | None) -> int:
    """Return the namespace's number of partitions, for ever that of its creation."""
    wanted = DEFAULT_PARTITIONS if partitions is None else partitions
    if not 1 <= wanted <= MOST_PARTITIONS:
        raise ConfigurationError("partitions", f"{wanted} is not between 1 and {MOST_PARTITIONS}.")
    key = partition_count(namespace)
    known = await _asked(server, ("GET", key))  # first: a full server can still be asked
    if known is None:
        await _asked(server, ("SET", key, wanted, "NX"))
        known = await _asked(server, ("GET", key))
    return int(known)


async def _asked(server: Server, command: Command) -> Any:
    (reply,) = await server.call_all([command])
    return checked(reply)
