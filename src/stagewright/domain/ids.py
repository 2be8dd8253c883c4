"""Identities that carry meaning: workflow ids name their partition, task ids their workflow."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class TaskId(NamedTuple):
    """One dispatch of one stage to one agent."""

    workflow_id: str
    stage: str
    visit: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.stage}/{self.visit}/{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> TaskId:
        """Parse `workflow_id/stage/visit/attempt`; ValueError otherwise."""
        workflow_id, stage, visit, attempt = text.split("/")
        return cls(workflow_id, stage, int(visit), int(attempt))


def workflow_id(partition: int, unique: str) -> str:
    """Return `pNN-` followed by 32 hex digits."""
    return f"p{partition:02d}-{unique}"


def keyed_workflow_id(definition: str, key: str, partitions: int) -> str:
    """Return the one id that starts of this definition with this key share."""
    digest = hashlib.sha256(f"{definition}\0{key}".encode()).hexdigest()
    return workflow_id(int(digest[32:40], 16) % partitions, digest[:32])


def unkeyed_workflow_id(unique: str, partitions: int) -> str:
    """Spread unkeyed ids over the partitions by their random tail."""
    return workflow_id(int(unique[-6:], 16) % partitions, unique)


def partition_of(id_: str) -> int:
    """Return the partition that a workflow, task or letter id names; ValueError if none."""
    if id_[:1] != "p":
        msg = f"{id_!r} does not name a partition: expected an id like p00-..."
        raise ValueError(msg)
    return int(id_[1 : id_.index("-")])


def workflow_of(task_id: str) -> str:
    """Return the workflow id in front of a task id."""
    return task_id.partition("/")[0]


def output_key(stage: str, visit: int) -> str:
    """Return the key under which a stage's output is stored."""
    return f"{stage}/{visit}"
