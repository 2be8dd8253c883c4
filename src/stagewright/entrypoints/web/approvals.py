"""What waits for people's decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from stagewright.domain.errors import ValidationFailed
from stagewright.entrypoints.api.access import Principal, Scope, ThePrincipal, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.web import dialogs, forms, reading, words
from stagewright.entrypoints.web.actions import command_of, told
from stagewright.entrypoints.web.diff import Diff, diff_of
from stagewright.entrypoints.web.payloads import AT_ONCE_BYTES, Payload, payload_of
from stagewright.entrypoints.web.posted import TheForm
from stagewright.entrypoints.web.reasons import named
from stagewright.entrypoints.web.rendering import page
from stagewright.entrypoints.web.workflow import Id
from stagewright.ports import workflow_store
from stagewright.ports.views import Waiting, WorkflowView

router = APIRouter(include_in_schema=False)
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision that is asked for, with all that is needed to make it."""

    view: WorkflowView
    stage: str
    people: Sequence[str]
    required: int
    decided: Sequence[str]
    since_ms: int
    until_ms: int | None
    visit: int
    shown: Payload | None
    shown_hash: str
    changes: Diff | None
    """What changed since the round before."""
    fields: Sequence[forms.Field]
    who: Sequence[dialogs.Input]
    command: str


@router.get("/approvals", dependencies=[needs(Scope.READ)])
async def approvals(
    request: Request,
    door: TheDoor,
    principal: ThePrincipal,
    workflow: Annotated[str | None, Query(max_length=200)] = None,
    stage: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Return the inbox, oldest first, with one decision opened."""
    query = workflow_store.Query(waiting="approval", oldest_first=True, limit=_PAGE, cursor=cursor)
    found = await door.queries.list(query)
    chosen = workflow or (found.rows[0].workflow_id if found.rows else None)
    asked = await _asked(door, principal, chosen, stage) if chosen else None
    context = {
        "title": "Approvals",
        "nav": "approvals",
        "live": "/api/v1/events",
        "found": found,
        "chosen": chosen,
        "asked": asked,
        "opened": workflow is not None,
    }
    return page(request, "approvals.html", context)


async def _asked(
    door: Door, principal: Principal, workflow_id: str, stage: str | None
) -> Asked | None:
    view = await door.queries.show(workflow_id)
    waiting = next(
        (w for w in view.waiting if w.kind == "approval" and stage in {None, w.stage}), None
    )
    if waiting is None or waiting.stage is None:
        return None
    detail = waiting.detail
    number = int(detail.get("visit", 1))
    before = f"{detail['shown']}".replace(f"/{number}/", f"/{number - 1}/")
    values = await reading.values_of(door, workflow_id, [detail["shown"], before])
    made = await reading.details_of(door).stage(workflow_id, waiting.stage)
    schema = made.definition.get("form")
    return Asked(
        view=view,
        stage=waiting.stage,
        people=[named(one) for one in detail.get("approvers", ())],
        required=int(detail.get("required", 1)),
        decided=detail.get("decided", ()),
        since_ms=waiting.since_ms,
        until_ms=waiting.until_ms,
        visit=number,
        shown=payload_of("What is asked for", values.get(detail["shown"])),
        shown_hash=str(detail.get("shown_hash", "")),
        changes=_changes(values, before, detail["shown"]),
        fields=forms.fields_of(schema, name="form") if schema else (),
        who=_who(principal, detail.get("approvers", ())),
        command=_command(view, waiting),
    )


def _who(principal: Principal, approvers: Sequence[str]) -> Sequence[dialogs.Input]:
    return dialogs.deciders(approvers, principal.name) if principal.may(Scope.ADMIN) else ()


def _command(view: WorkflowView, waiting: Waiting) -> str:
    return f"stagewright workflow approve {view.workflow_id} --stage {waiting.stage}"


def _changes(values: Mapping[str, bytes], before: str, now: str) -> Diff | None:
    old, new = values.get(before), values.get(now)
    if before == now or old is None or new is None or max(len(old), len(new)) > AT_ONCE_BYTES:
        return None
    return diff_of(words.pretty_bytes(old), words.pretty_bytes(new))


@router.post("/ui/approvals/{workflow_id}/{verb}", dependencies=[needs(Scope.APPROVE)])
async def decide(
    request: Request,
    door: TheDoor,
    principal: ThePrincipal,
    workflow_id: Id,
    verb: str,
    form: TheForm,
) -> Response:
    """Decide; the form's fields go along as data."""
    if verb not in {"approve", "reject"}:
        raise ValidationFailed(f"A decision is approve or reject, not {verb[:40]!r}.")
    data = await _data(door, workflow_id, form) if verb == "approve" else None
    filled = {**form, "data": orjson.dumps(data).decode() if data is not None else ""}
    command = command_of(verb, filled, principal)  # type: ignore[arg-type]  # one of the two
    await door.commands.command(workflow_id, command)
    done = "approved" if verb == "approve" else "rejected"
    text = f"{form.get('stage', 'It')} of {words.short_id(workflow_id)} {done}."
    return told(request, text, f"/workflows/{workflow_id}")


async def _data(door: Door, workflow_id: str, form: Mapping[str, str]) -> Any:
    made = await reading.details_of(door).stage(workflow_id, form.get("stage", ""))
    schema = made.definition.get("form")
    if not schema:
        return None
    return forms.value_of(forms.fields_of(schema, name="form"), form)
