"""The route of the audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheAccess
from stagewright.ports.audit import FIELD_LIMIT, AuditPage, AuditQuery

router = APIRouter(prefix="/audit", tags=["audit"])

Text = Annotated[str, Field(max_length=FIELD_LIMIT)]


class AuditFilters(BaseModel):
    """Filters of the audit; all given must hold."""

    model_config = ConfigDict(extra="forbid")

    actor: Text | None = None
    action: Text | None = None
    target: Text | None = None
    cursor: Annotated[str, Field(pattern=r"^[0-9]{13}-[0-9a-z]{1,40}$")] | None = None
    limit: int = Field(default=50, ge=1, le=1_000)


@router.get("", dependencies=[needs(Scope.ADMIN)])
async def page(access: TheAccess, filters: Annotated[AuditFilters, Parameter()]) -> AuditPage:
    """Return who changed what, newest first."""
    return await access.audit.page(AuditQuery(**filters.model_dump()))
