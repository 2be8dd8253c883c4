"""What routes ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from fastapi.requests import HTTPConnection

from stagewright.application.access import Access
from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.access import principal_of
from stagewright.entrypoints.api.door import Desk, Door
from stagewright.ports.keys import IKeys


async def _door(connection: HTTPConnection) -> Door:
    """Return the door of whoever asks: what is changed through it is changed in their name."""
    door: Door = connection.app.state.door
    return door.acting(principal_of(connection).actor())


async def _desk(connection: HTTPConnection) -> Desk:
    door: Door = connection.app.state.door
    desk = door.desk
    if desk is None:
        raise NotFound("desk", "agents", remedy="Ask a server that was started with one.")
    return desk


TheDoor = Annotated[Door, Depends(_door)]
Id = Annotated[str, Path(max_length=200, description="Workflow id.")]
StageName = Annotated[str, Path(max_length=63, description="Name of a stage.")]


async def _access(connection: HTTPConnection) -> Access:
    door: Door = connection.app.state.door
    if door.access is None:
        raise NotFound("address", connection.url.path)
    return door.access


async def _keys(door: TheDoor) -> IKeys:
    if door.keys is None:
        raise NotFound("address", "/keys")
    return door.keys


TheAccess = Annotated[Access, Depends(_access)]
TheKeys = Annotated[IKeys, Depends(_keys)]
TheDesk = Annotated[Desk, Depends(_desk)]
