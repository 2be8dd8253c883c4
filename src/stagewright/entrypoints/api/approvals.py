"""The route of what waits for people."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.filters import Cursor
from stagewright.ports.details import ApprovalPage, ApprovalQuery

router = APIRouter(prefix="/approvals", tags=["approvals"])


class Inbox(BaseModel):
    """Whose approvals."""

    model_config = ConfigDict(extra="forbid")

    definition: str | None = Field(default=None, max_length=200)
    by: str | None = Field(
        default=None,
        max_length=200,
        description="Only what this person may decide and has not decided yet.",
    )
    group: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[], max_length=100, description="A group the person belongs to; repeat it."
    )
    sort: Literal["-updated", "updated"] = "-updated"
    cursor: Cursor | None = None
    limit: int = Field(default=50, ge=1, le=200)


@router.get("", dependencies=[needs(Scope.READ)])
async def approvals(door: TheDoor, asked: Annotated[Inbox, Parameter()]) -> ApprovalPage:
    """Return what waits for people: of whom, since when, until when, what is shown, who decided."""
    return await door.details.approvals(
        ApprovalQuery(
            definition=asked.definition,
            by=asked.by,
            groups=tuple(asked.group),
            oldest_first=asked.sort == "updated",
            cursor=asked.cursor,
            limit=asked.limit,
        )
    )
