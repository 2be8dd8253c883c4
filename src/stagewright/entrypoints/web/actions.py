"""What people do to workflows: dialogs that ask, and routes that do it and say what they did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, get_args

import orjson
from fastapi import APIRouter, Query, Request, Response

from stagewright.domain.errors import StagewrightError, UsageError
from stagewright.entrypoints.api.access import Principal, Scope, ThePrincipal, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.web import words
from stagewright.entrypoints.web.dialogs import Dialog, dialog_of
from stagewright.entrypoints.web.forms import Field, fields_of, parsed_json
from stagewright.entrypoints.web.posted import TheForm, TheLists
from stagewright.entrypoints.web.reading import details_of
from stagewright.entrypoints.web.rendering import fragment
from stagewright.entrypoints.web.workflow import Id
from stagewright.ports.bulk import DECISIONS, Action
from stagewright.ports.control import CommandReply, CommandRequest

router = APIRouter(include_in_schema=False)
MOST_AT_ONCE = 500
_DONE = {
    "pause": "paused",
    "resume": "resumed",
    "cancel": "cancelled",
    "retry": "goes on",
    "signal": "got the signal",
    "approve": "approved",
    "reject": "rejected",
}
_BULK = frozenset({"pause", "resume", "cancel", "retry"})


@router.get("/ui/workflows/{workflow_id}/dialog/{kind}", dependencies=[needs(Scope.READ)])
async def dialog(
    request: Request,
    door: TheDoor,
    principal: ThePrincipal,
    workflow_id: Id,
    kind: str,
    stage: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Return what is asked before an action."""
    view = await door.queries.show(workflow_id)
    speaks_for = principal.name if principal.may(Scope.ADMIN) else ""
    asked = dialog_of(kind, view, stage or None, speaks_for)
    fields = await _form_fields(door, workflow_id, asked) if kind == "approve" else ()
    return fragment(request, "fragments/dialog.html", {"dialog": asked, "fields": fields})


async def _form_fields(door: Door, workflow_id: str, asked: Dialog) -> Sequence[Field]:
    """Return the fields of the form that an approval is to be given with."""
    stage = (asked.hidden or {}).get("stage", "")
    found = await details_of(door).stage(workflow_id, stage) if stage else None
    schema = found.definition.get("form") if found else None
    return fields_of(schema, name="form") if schema else ()


def command_of(kind: Action, form: dict[str, str], principal: Principal) -> CommandRequest:
    """Return the command that a form describes; who may not speak for others speaks for itself."""
    others = principal.may(Scope.ADMIN)
    visit, group = form.get("visit", ""), form.get("group", "")
    return CommandRequest(
        kind=kind,
        by=(form.get("by", "").strip() if others else "") or principal.name,
        groups=(group,) if others and group else (),
        reason=form.get("reason", "").strip(),
        stage=form.get("stage") or None,
        visit=int(visit) if visit.isdigit() else None,
        shown_hash=form.get("shown_hash") or None,
        data=parsed_json(form["data"], "data") if form.get("data") else None,
        name=form.get("name") or None,
    )


def _route(kind: Action, scope: Scope) -> None:
    async def act(
        request: Request,
        door: TheDoor,
        principal: ThePrincipal,
        workflow_id: Id,
        form: TheForm,
    ) -> Response:
        reply = await door.commands.command(workflow_id, command_of(kind, form, principal))
        return told(request, _sentence(kind, workflow_id, reply), _elsewhere(workflow_id, reply))

    _add(f"/ui/workflows/{{workflow_id}}/{kind}", act, kind, scope)


def _add(path: str, act: Callable[..., Awaitable[Response]], name: str, scope: Scope) -> None:
    router.add_api_route(
        path, act, methods=["POST"], name=f"ui_{name}", dependencies=[needs(scope)]
    )


def _sentence(kind: str, workflow_id: str, reply: CommandReply) -> str:
    if reply.workflow_id != workflow_id:
        return f"Started {reply.workflow_id}, which continues this workflow."
    said = f" {reply.detail}" if reply.detail else ""
    return f"{words.short_id(workflow_id)} {_DONE[kind]}.{said}"


def _elsewhere(workflow_id: str, reply: CommandReply) -> str:
    """Return the page of a successor, where the answer is another workflow."""
    return f"/workflows/{reply.workflow_id}" if reply.workflow_id != workflow_id else ""


def told(
    request: Request, text: str, href: str = "", *, tone: str = "good", again: bool = True
) -> Response:
    """Return a message about what was done; dialogs close, the page is asked for again."""
    triggers = {"sw:done": {"href": href}} if again else {}
    headers = {
        "hx-retarget": "#toasts",
        "hx-reswap": "beforeend",
        "hx-trigger": orjson.dumps(triggers).decode(),
    }
    context = {"text": text, "href": href, "tone": tone}
    return fragment(request, "fragments/toast.html", context, headers=headers)


for _kind in get_args(Action):
    _route(_kind, Scope.APPROVE if _kind in DECISIONS else Scope.OPERATE)


@router.post("/ui/bulk/{kind}", dependencies=[needs(Scope.OPERATE)])
async def bulk(
    request: Request, door: TheDoor, principal: ThePrincipal, kind: str, form: TheLists
) -> Response:
    """Do the same to all workflows that were selected; say to how many, and why not to others."""
    chosen = form.get("workflow", [])
    if kind not in _BULK or not chosen or len(chosen) > MOST_AT_ONCE:
        raise UsageError(
            f"{kind[:40]!r} on {len(chosen)} workflows cannot be done at once.",
            remedy=f"Choose 1 to {MOST_AT_ONCE} workflows, and one of {', '.join(sorted(_BULK))}.",
        )
    refused: list[str] = []
    request_of = {name: values[-1] for name, values in form.items() if name != "workflow"}
    for workflow_id in chosen:
        try:
            wanted = command_of(kind, request_of, principal)  # type: ignore[arg-type]  # in _BULK
            await door.commands.command(workflow_id, wanted)
        except StagewrightError as error:
            refused.append(f"{words.short_id(workflow_id)}: {error.message}")
    return told(request, _tally(kind, len(chosen), refused), tone="bad" if refused else "good")


def _tally(kind: str, asked: int, refused: list[str]) -> str:
    done = f"{words.count(asked - len(refused), 'workflow')} {_DONE[kind]}."
    if not refused:
        return done
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""  # noqa: PLR2004
    return f"{done} {len(refused)} refused: {'; '.join(refused[:3])}{more}."
