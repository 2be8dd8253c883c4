"""Task records with their places in the lanes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from stagewright.adapters.sqlite.connection import Row, Session
from stagewright.ports.task import TaskRecord

_COUNTED_APART = 4
"""Up to so many queued tasks are counted one by one; more share one reading of their lanes."""
_FIELDS = 11

Lane = tuple[int, str, int]
"""Partition, lane and priority."""


def records(session: Session, workflow_ids: Sequence[str]) -> list[list[TaskRecord]]:
    """Return the task records of each workflow."""
    rows = [session.rows("select_tasks", (workflow_id,)) for workflow_id in workflow_ids]
    positions = _positions(session, [row for found in rows for row in found if row[1] == "queued"])
    return [
        [replace(TaskRecord(*row[:_FIELDS]), position=positions.get(row[-1])) for row in found]
        for found in rows
    ]


def _positions(session: Session, queued: list[Row]) -> dict[int, int]:
    """Return the position in its lane of each queued task, by place."""
    if len(queued) <= _COUNTED_APART:
        return {row[-1]: _count_ahead(session, row) for row in queued}
    lanes: dict[Lane, list[int]] = {}
    for row in queued:
        lanes.setdefault(_lane(row), []).append(row[-1])
    found: dict[int, int] = {}
    for lane, places in lanes.items():
        ahead = [place for (place,) in session.rows("select_places", (*lane, max(places)))]
        found.update((place, bisect_left(ahead, place)) for place in places)
    return found


def _count_ahead(session: Session, row: Row) -> int:
    ((count,),) = session.rows("count_ahead", (*_lane(row), row[-1]))
    return int(count)


def _lane(row: Row) -> Lane:
    return row[-2], row[2], row[3]
