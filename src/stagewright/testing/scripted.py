"""Agents that say what a script says: a runner without contracts, heartbeats or threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from stagewright.domain.envelope import StageResult, encode_result, rfc3339
from stagewright.domain.ids import TaskId
from stagewright.domain.task_body import parse_task_body
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock, IIdentifiers
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Claim, Completion, Want

Script = Callable[[TaskId, Any], dict[str, Any]]
"""Task and input to the fields of a StageResult that differ from a success with null."""


class ScriptedRunner:
    """Claims from lanes, asks the script, and hands in what it says."""

    def __init__(
        self,
        backend: Backend,
        clock: IClock,
        ids: IIdentifiers,
        lanes: Sequence[str],
        script: Script,
        *,
        sweep_s: float = 1.0,
        lease_s: float = 5.0,
    ) -> None:
        self._backend, self._clock, self._ids = backend, clock, ids
        self._claim = Claim("scripted", (Want(tuple(lanes), 10),), lease_s)
        self._script = script
        self._sweep_s = sweep_s

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if not await self.work():
                await self._clock.sleep(self._sweep_s)

    async def work(self) -> int:
        """Do what can be claimed now, one after another; return how many tasks that were."""
        claimed = await self._backend.tasks.claim(self._claim, self._clock.now_ms())
        for task in claimed:
            completion = Completion(task.task_id, task.token, self._result(task))
            await self._backend.tasks.complete([completion], None, self._clock.now_ms())
        return len(claimed)

    def _result(self, task: ClaimedTask) -> bytes:
        id_ = TaskId.parse(task.task_id)
        given: dict[str, Any] = {
            "envelope_id": self._ids.uuid7(),
            "source": "scripted",
            "time": rfc3339(self._clock.now_ms()),
            "task": id_,
            "token": task.token,
            "status": "success",
            **self._script(id_, orjson.loads(bytes(parse_task_body(task.body).input))),
        }
        return encode_result(StageResult(**given))
