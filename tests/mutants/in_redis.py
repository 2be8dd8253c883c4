"""Bugs in the backend on Redis: in its functions and in how they are called."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_REDIS = (
    Planted(
        "commits without looking at the step it rests on (Redis)",
        "adapters/redis/functions/commit.lua",
        "if (stored[1] or '') ~= args[at + 1] then return CONFLICT end",
        "if not stored[1] and args[at + 1] ~= '' then return CONFLICT end",
        "contracts-redis",
    ),
    Planted(
        "commits without looking at the token (Redis)",
        "adapters/redis/functions/commit.lua",
        "if not packed or token_of(packed) ~= tonumber(args[place + 1]) then return FENCED end",
        "if not packed then return FENCED end",
        "contracts-redis",
    ),
    Planted(
        "completes a task whatever the token (Redis)",
        "adapters/redis/functions/complete.lua",
        "if packed and token_of(packed) == tonumber(args[3 * number]) then",
        "if packed then",
        "contracts-redis",
    ),
    Planted(
        "publishes a result once more when it is handed in again (Redis)",
        "adapters/redis/functions/complete.lua",
        "      if state == LEASED then",
        "      if current then",
        "contracts-redis",
    ),
    Planted(
        "sends a call again when its answer was lost (Redis)",
        "adapters/redis/connection.py",
        "                return await exchange(connection, commands, timeout_s)\n",
        "                try:\n"
        "                    return await exchange(connection, commands, timeout_s)\n"
        "                except Exception:\n"
        "                    await ready(connection, timeout_s)\n"
        "                    return await exchange(connection, commands, timeout_s)\n",
        "contracts-redis",
    ),
    Planted(
        "takes a late reply for the answer to another call (Redis)",
        "adapters/redis/connection.py",
        "        await drop(connection)"
        "  # a reply may still come, and must not be taken for another's\n"
        "        raise\n"
        "\n\n"
        "def _pack(command: Command) -> bytes:\n"
        "    packed: bytes = hiredis.pack_command(tuple(command))"
        "  # type: ignore[arg-type]  # its stub errs\n"
        "    return packed\n"
        "\n\n"
        "async def _reply(connection: AbstractConnection) -> Any:\n"
        "    try:\n"
        "        return await connection.read_response()\n",
        "        raise\n"
        "\n\n"
        "def _pack(command: Command) -> bytes:\n"
        "    return hiredis.pack_command(tuple(command))\n"
        "\n\n"
        "async def _reply(connection: AbstractConnection) -> Any:\n"
        "    try:\n"
        "        return await connection.read_response(disconnect_on_error=False)\n",
        "contracts-redis",
    ),
    Planted(
        "blocks for longer than its own timeout (Redis)",
        "adapters/redis/readers.py",
        "timeout_s = BLOCK_MS / 1000 + LATE_S if block else self._server.timeout_s",
        "timeout_s = self._server.timeout_s",
        "contracts-redis",
    ),
    Planted(
        "trims the feed by length (Redis)",
        "adapters/redis/functions/shared/feed.lua",
        "redis.pcall('XADD', feed, now .. '-*', unpack(entries, first, last))",
        "redis.pcall('XADD', feed, 'MAXLEN', 1000, now .. '-*', unpack(entries, first, last))",
        "contracts-redis",
    ),
    Planted(
        "writes the snapshot but not the log (Redis)",
        "adapters/redis/functions/commit.lua",
        "  each('RPUSH', log, records)\n",
        "",
        "contracts-redis",
    ),
    Planted(
        "writes the log but not the feed (Redis)",
        "adapters/redis/functions/commit.lua",
        "    add(batch.fed, 'step:' .. id, args[at])\n",
        "",
        "contracts-redis",
    ),
    Planted(
        "queues new tasks of a paused workflow (Redis)",
        "adapters/redis/functions/commit.lua",
        "      if held == 1 then\n        write_task(batch",
        "      if held == 2 then\n        write_task(batch",
        "contracts-redis",
    ),
    Planted(
        "leases a new task although an older one waits (Redis)",
        "adapters/redis/functions/commit.lua",
        "'LIMIT', 0, 1) > 0 then return nil end",
        "'LIMIT', 0, 1) < 0 then return nil end",
        "contracts-redis",
    ),
    Planted(
        "leases more than there are free slots (Redis)",
        "adapters/redis/functions/shared/claims.lua",
        "    if free > 0 and not taken[found[number].task] then",
        "    if not taken[found[number].task] then",
        "contracts-redis",
    ),
    Planted(
        "does not count a lost lease (Redis)",
        "adapters/redis/functions/release.lua",
        "lost_before + lost, token,",
        "lost_before, token,",
        "contracts-redis",
    ),
    Planted(
        "extends a lease beyond its deadline (Redis)",
        "adapters/redis/functions/extend.lua",
        "answer[number] = math.min(until_ms, deadline)",
        "answer[number] = until_ms",
        "contracts-redis",
    ),
    Planted(
        "forgets a workflow that has moved since it was looked at (Redis)",
        "adapters/redis/functions/forget.lua",
        "if step ~= args[1] then return 0 end",
        "if not step then return 0 end",
        "contracts-redis",
    ),
    Planted(
        "overwrites dead letters (Redis)",
        "adapters/redis/functions/shared/letters.lua",
        "  if redis.call('HSETNX', letters, letter, packed) == 0 then return end",
        "  redis.call('HSET', letters, letter, packed)",
        "contracts-redis",
    ),
    Planted(
        "loses sight of timers at a restart (Redis)",
        "adapters/redis/watch.py",
        "self._look_at_ms = [0] * partitions",
        "self._look_at_ms = [1 << 62] * partitions",
        "contracts-redis",
    ),
    Planted(
        "believes a partition to be empty whose hints it does not hear (Redis)",
        "adapters/redis/lanes.py",
        "if empty is None or not self.hears(partition):",
        "if empty is None:",
        "contracts-redis",
    ),
)
