"""Static files, for everybody: the page to sign in needs them too."""

from __future__ import annotations

from fastapi import APIRouter, Response

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.web.assets import assets

router = APIRouter(include_in_schema=False)
_FOR_GOOD = "public, max-age=31536000, immutable"


@router.get("/static/{digest}/{path:path}", dependencies=[needs(Scope.PUBLIC)])
async def static(digest: str, path: str) -> Response:
    """Return one file; of another digest only for now, as it may be that of a newer server."""
    known = assets()
    asset = known.files.get(path)
    if asset is None:
        raise NotFound("file", path[:200])
    kept = known.base.endswith(f"/{digest}")
    headers = {
        "cache-control": _FOR_GOOD if kept else "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(asset.body, media_type=asset.media_type, headers=headers)
