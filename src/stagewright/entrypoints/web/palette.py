"""What Ctrl-K finds: pages, definitions to start, workflows by id, key or name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.web import states
from stagewright.entrypoints.web.rendering import NAVIGATION, fragment
from stagewright.ports import workflow_store

router = APIRouter(include_in_schema=False)
_WORKFLOWS = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that can be chosen."""

    title: str
    detail: str
    href: str
    icon: str
    tone: str = "mute"


@router.get("/ui/palette", dependencies=[needs(Scope.READ)])
async def palette(
    request: Request, door: TheDoor, q: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Return what fits the words typed."""
    wanted = q.strip().lower()
    entries = [
        Entry(item.title, "Go to", item.href, item.icon)
        for item in NAVIGATION
        if wanted in item.title.lower()
    ]
    names = sorted({view.name for view in await door.queries.definitions() if not view.retired})
    fitting = [name for name in names if wanted in f"start {name}"]
    entries += [
        Entry(f"Start {name}", "Definition", f"/definitions/{name}/start", "start")
        for name in fitting[:_WORKFLOWS]
    ]
    query = workflow_store.Query(text=q.strip() or None, limit=_WORKFLOWS)
    for row in (await door.queries.list(query)).rows:
        look = states.of_status(row.status)
        href = f"/workflows/{row.workflow_id}"
        detail = f"{look.word} · {row.workflow_id}"
        entries.append(
            Entry(f"{row.name} {row.key or ''}".strip(), detail, href, look.icon, look.tone)
        )
    return fragment(request, "fragments/palette.html", {"entries": entries})
