"""A workflow for every reason there is to wait."""

from __future__ import annotations

import anyio

from stagewright import (
    Fatal,
    Retry,
    Workflow,
    agent,
    approval,
    parallel,
    stage,
    wait,
)

A_DAY_S = 86_400


@agent("robot")
async def robot(part: int) -> int:
    await anyio.sleep_forever()
    return part


@agent("clumsy")
async def clumsy(part: int) -> int:
    msg = f"dropped part {part}"
    raise RuntimeError(msg)


@agent("proud")
async def proud(part: int) -> int:
    msg = f"part {part} is beneath me"
    raise Fatal(msg)


once_a_day = Retry(attempts=3, delay_s=A_DAY_S, max_delay_s=A_DAY_S)

leased = Workflow("leased", stage("drill", agent=robot, timeout_s=600))
deserted = Workflow("deserted", stage("drill", agent="ghost@^1"))
outdated = Workflow("outdated", stage("drill", agent="ghost@^2.3"))
retried = Workflow("retried", stage("drill", agent=clumsy, retry=once_a_day))
held = Workflow("held", stage("drill", agent=proud, on_failure="hold"))
timed = Workflow("timed", wait("dry", for_s=A_DAY_S))
signalled = Workflow("signalled", wait("truck", signal="arrived", timeout_s=A_DAY_S))
approved = Workflow("approved", approval("sign", approvers=["bob", "group:law"], required=2))
grouped = Workflow(
    "grouped",
    parallel("both", lead=wait("lead-time", for_s=A_DAY_S), tin=wait("tin-truck", signal="tin")),
)
paused = Workflow("paused", wait("truck", signal="arrived"))
