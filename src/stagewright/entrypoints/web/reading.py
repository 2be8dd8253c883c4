"""What screens ask of the use cases, bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.door import Door
from stagewright.ports.stage_details import IStageDetails
from stagewright.ports.views import WorkflowView

WHOLE_LOG_STEPS = 4_000
"""Longer logs are not read for a page: their timeline shows the newest rounds alone."""
_PAGE = 1_000

Record = Mapping[str, Any]


async def steps_of(door: Door, view: WorkflowView) -> list[Record] | None:
    """Return the whole log of steps, None when it is too long for a page."""
    if view.step > WHOLE_LOG_STEPS:
        return None
    found: list[Record] = []
    while len(found) < view.step:
        page = await door.queries.log(view.workflow_id, "steps", len(found), _PAGE)
        found += page.records
        if page.after is None:
            break
    return found


async def newest_steps(door: Door, view: WorkflowView, most: int) -> list[Record]:
    """Return the newest steps."""
    after = max(0, view.step - most)
    page = await door.queries.log(view.workflow_id, "steps", after, min(most + 1, _PAGE))
    return list(page.records)


async def notes_of(door: Door, workflow_id: str) -> list[Record]:
    """Return what agents noted; the store keeps the newest thousand."""
    return list((await door.queries.log(workflow_id, "notes", 0, _PAGE)).records)


def details_of(door: Door) -> IStageDetails:
    """Return the use case of stages; NotFound where the server has none."""
    if door.stage_details is None:
        raise NotFound("use case", "stage details")
    return door.stage_details


def kinds_of(view: WorkflowView) -> dict[str, str]:
    """Return by stage why it waits."""
    return {waiting.stage: waiting.kind for waiting in view.waiting if waiting.stage}


async def values_of(door: Door, workflow_id: str, keys: Sequence[str | None]) -> dict[str, bytes]:
    """Return stored values by output key."""
    wanted = [key for key in keys if key]
    if not wanted:
        return {}
    return dict(await details_of(door).values(workflow_id, wanted))
