"""A planted bug in a function is a function: a server that refuses it would prove nothing."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from tests.mutants.in_redis import IN_REDIS
from tests.mutants.record import Planted

IN_LUA = [bug for bug in IN_REDIS if bug.path.suffix == ".lua"]


@pytest.mark.parametrize("bug", IN_LUA, ids=lambda bug: bug.name)
async def test_a_server_takes_a_function_with_a_planted_bug(bug: Planted, plain: Redis) -> None:
    source = bug.plant(bug.path.read_text("utf-8"))
    end = "redis.register_function('planted', function() end)"
    library = f"#!lua name=planted\n{source}\n{end}"
    assert await plain.execute_command("FUNCTION", "LOAD", "REPLACE", library) == b"planted"
