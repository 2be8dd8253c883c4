"""Routes of live events: server-sent events, and WebSockets with the same messages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.filters import label_of
from stagewright.entrypoints.api.sse import MEDIA_TYPE, opened
from stagewright.ports.live import Wanted

router = APIRouter(tags=["events"])

MOST_NAMES = 100
MOST_CHARACTERS = 8_192
Id = Annotated[str, Path(max_length=200)]
LastEventId = Annotated[str | None, Header(max_length=MOST_CHARACTERS)]
Names = Annotated[list[str], Field(max_length=MOST_NAMES)]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "A stream that stays open.", "content": {MEDIA_TYPE: {}}},
    204: {"description": "The position is behind the end: there is nothing to follow."},
}


class Chosen(BaseModel):
    """What of one workflow is told."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(default=None, max_length=MOST_CHARACTERS)
    """A position; the header `Last-Event-ID` wins over it."""
    kind: Names = []
    """Only events of these kinds."""
    status: Names = []
    """Only events that leave their workflow in one of these."""
    notes: bool = True
    deltas: bool = True

    def wanted(self) -> Wanted:
        """Return what the stream is asked for."""
        return Wanted(
            kinds=frozenset(self.kind),
            statuses=frozenset(self.status),
            notes=self.notes,
            deltas=self.deltas,
        )


class Followed(Chosen):
    """What of all workflows is told; all that is given must hold."""

    workflow_id: Names = []
    definition: str | None = None
    label: str | None = None
    """`KEY=VALUE`."""
    deltas: bool = False

    def wanted(self) -> Wanted:
        """Return what the stream is asked for."""
        return Wanted(
            workflow_ids=frozenset(self.workflow_id),
            definition=self.definition,
            label=None if self.label is None else label_of(self.label),
            kinds=frozenset(self.kind),
            statuses=frozenset(self.status),
            notes=self.notes,
            deltas=self.deltas,
        )


async def _chosen(chosen: Annotated[Chosen, Parameter()]) -> Chosen:
    return chosen


async def _followed(followed: Annotated[Followed, Parameter()]) -> Followed:
    return followed


TheChosen = Annotated[Chosen, Depends(_chosen)]
TheFollowed = Annotated[Followed, Depends(_followed)]


@router.get("/events", dependencies=[needs(Scope.READ)], responses=_STREAM, response_class=Response)
async def events(
    door: TheDoor, followed: TheFollowed, last_event_id: LastEventId = None
) -> Response:
    """Follow all workflows behind a position, from now on without one."""
    return await opened(door.live.chunks(followed.wanted(), last_event_id or followed.after))


@router.get(
    "/workflows/{workflow_id}/events",
    dependencies=[needs(Scope.READ)],
    responses=_STREAM,
    response_class=Response,
)
async def workflow_events(
    door: TheDoor, workflow_id: Id, chosen: TheChosen, last_event_id: LastEventId = None
) -> Response:
    """Follow one workflow behind a position, from its beginning without one, to its end."""
    after = last_event_id or chosen.after
    return await opened(door.live.workflow_chunks(workflow_id, after, chosen.wanted()))
