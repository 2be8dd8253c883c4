"""Routes of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheKeys
from stagewright.ports.keys import KeyRequest, KeyView, NewKey

router = APIRouter(prefix="/keys", tags=["keys"])


@router.get("", dependencies=[needs(Scope.ADMIN)])
async def keys(keys_: TheKeys) -> Sequence[KeyView]:
    """Return all keys, expired and revoked ones too; what opens the door is not among it."""
    return await keys_.list()


@router.post("", status_code=201, dependencies=[needs(Scope.ADMIN)])
async def create(keys_: TheKeys, request: KeyRequest) -> NewKey:
    """Make a key. Its secret stands in this answer and nowhere else."""
    return await keys_.create(request)


@router.delete("/{key_id}", dependencies=[needs(Scope.ADMIN)])
async def revoke(keys_: TheKeys, key_id: Annotated[str, Path(max_length=64)]) -> KeyView:
    """Take a key out of service, for good, with the sessions that came from it."""
    return await keys_.revoke(key_id)
