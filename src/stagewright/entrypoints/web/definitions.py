"""Definitions: what they are, how they fare, and the form that starts one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from stagewright.application.sample_input import sample
from stagewright.domain.contracts import version_key
from stagewright.domain.errors import StagewrightError, UsageError, ValidationFailed
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.web import forms, words
from stagewright.entrypoints.web.diagram import diagram_of
from stagewright.entrypoints.web.payloads import payload_of_value
from stagewright.entrypoints.web.posted import TheForm
from stagewright.entrypoints.web.rendering import fragment, page
from stagewright.ports import workflow_store
from stagewright.ports.control import StartRequest
from stagewright.ports.views import DefinitionView, WorkflowRow

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Path(max_length=200)]
_LOOKED_AT = 100
_ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Fares:
    """How the newest workflows of a definition ended."""

    looked_at: int
    ended: int
    completed: int
    failed: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def rate(self) -> int | None:
        """Percent of those that completed among those that completed or failed."""
        decided = self.completed + self.failed
        return round(100 * self.completed / decided) if decided else None


@dataclass(frozen=True, slots=True)
class Family:
    """All versions of one name, the newest first."""

    name: str
    newest: DefinitionView
    versions: Sequence[DefinitionView]
    fares: Fares | None = None


def fares_of(rows: Sequence[WorkflowRow]) -> Fares:
    """Return success rate and percentiles of how long those took that completed."""
    ended = [row for row in rows if row.status in _ENDED]
    took = sorted(r.updated_at_ms - r.created_at_ms for r in ended if r.status == "completed")
    return Fares(
        len(rows),
        len(ended),
        sum(row.status == "completed" for row in ended),
        sum(row.status == "failed" for row in ended),
        _percentile(took, 50),
        _percentile(took, 95),
    )


def _percentile(ordered: Sequence[int], percent: int) -> int | None:
    """Return the smallest value that so many percent of all do not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def families_of(views: Iterable[DefinitionView]) -> list[Family]:
    """Return versions grouped by name, names in alphabetical order; retired ones last."""
    by_name: dict[str, list[DefinitionView]] = {}
    for view in views:
        by_name.setdefault(view.name, []).append(view)
    return [_family(name, versions) for name, versions in sorted(by_name.items())]


def _family(name: str, versions: list[DefinitionView]) -> Family:
    ordered = sorted(
        versions,
        key=lambda v: (not v.retired, version_key(v.version), v.registered_at_ms),
        reverse=True,
    )
    return Family(name, ordered[0], ordered)


async def _fares(door: Door, name: str) -> Fares:
    query = workflow_store.Query(definition=name, limit=_LOOKED_AT)
    return fares_of((await door.queries.list(query)).rows)


@router.get("/definitions", dependencies=[needs(Scope.READ)])
async def definitions(request: Request, door: TheDoor) -> Response:
    """Return all definitions."""
    found = families_of(await door.queries.definitions())
    families = [
        Family(f.name, f.newest, f.versions, await _fares(door, f.name)) for f in found[:50]
    ]
    families += found[50:]
    context = {"title": "Definitions", "nav": "definitions", "families": families}
    return page(request, "definitions.html", context)


@router.get("/definitions/{name}", dependencies=[needs(Scope.READ)])
async def definition(
    request: Request,
    door: TheDoor,
    name: Name,
    version: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Return one definition."""
    context = await _one(door, name, version)
    query = workflow_store.Query(definition=name, limit=10)
    context |= {
        "live": "/api/v1/events",
        "fares": await _fares(door, name),
        "recent": await door.queries.list(query),
        "chart": diagram_of(context["body"]),
        "source": payload_of_value("Definition", context["body"]),
        "schema": payload_of_value("Input schema", context["body"].get("input")),
    }
    return page(request, "definition.html", context)


async def _one(door: Door, name: str, version: str | None) -> dict[str, Any]:
    body = await door.queries.definition(f"{name}@{version}" if version else name)
    family = _family(name, list(await door.queries.definitions(name)))
    return {
        "title": f"{name} {body.get('version', '1.0.0')}",
        "nav": "definitions",
        "name": name,
        "body": body,
        "description": body.get("description", ""),
        "version": body.get("version", "1.0.0"),
        "family": family,
        "pinned": version,
    }


@router.get("/definitions/{name}/start", dependencies=[needs(Scope.START)])
async def start_form(
    request: Request,
    door: TheDoor,
    name: Name,
    version: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Return the form that starts a workflow."""
    context = await _one(door, name, version)
    schema = context["body"].get("input")
    example = sample(schema)
    context |= {
        "title": f"Start {name}",
        "fields": forms.fields_of(schema, _given(schema)),
        "example": words.pretty(example),
        "left": [],
        "error": None,
        "command_line": _command(name, version),
    }
    return page(request, "start.html", context)


def _given(schema: Any) -> Any:
    """Return what a form begins with: examples of the schema, where it has some."""
    examples = schema.get("examples") if isinstance(schema, dict) else None
    return examples[0] if examples else None


def _command(name: str, version: str | None) -> str:
    return shlex.join(
        ["stagewright", "workflow", "start", f"{name}@{version}" if version else name]
    )


@router.post("/ui/definitions/{name}/start", dependencies=[needs(Scope.START)])
async def start(request: Request, door: TheDoor, name: Name, form: TheForm) -> Response:
    """Start a workflow and lead to its page; a refusal comes back as the form with its errors."""
    version = form.get("version") or None
    body = await door.queries.definition(f"{name}@{version}" if version else name)
    fields = forms.fields_of(body.get("input"))
    try:
        wanted = start_of(f"{name}@{version}" if version else name, fields, form)
        started = await door.commands.start(wanted)
    except ValidationFailed as error:
        marked, left = forms.with_errors(fields, error.problems)
        return _refused(request, name, marked, left, error)
    headers = {"hx-redirect": f"/workflows/{started.workflow_id}"}
    return Response(status_code=200, headers=headers)


def start_of(definition: str, fields: Sequence[forms.Field], form: dict[str, str]) -> StartRequest:
    """Return the start that a form describes; ValidationFailed names fields."""
    whole = form.get("whole", "") if form.get("way") == "json" else None
    priority = form.get("priority", "")
    return StartRequest(
        definition=definition,
        input=forms.value_of(fields, form, whole),
        key=form.get("key", "").strip() or None,
        priority=int(priority) if priority.isdigit() else None,
        labels=_labels(form.get("labels", "")),
    )


def _labels(text: str) -> dict[str, str]:
    pairs = [line.strip().partition("=") for line in text.replace(",", "\n").splitlines()]
    wrong = [key for key, mark, _ in pairs if key and not mark]
    if wrong:
        raise UsageError(f"labels: {wrong[0]!r} is not KEY=VALUE.", remedy="Write team=web.")
    return {key: value for key, mark, value in pairs if mark}


def _refused(
    request: Request,
    name: str,
    fields: Sequence[forms.Field],
    left: Sequence[str],
    error: StagewrightError,
) -> Response:
    """Return the errors for their fields; what was filled in stays, because only they are sent."""
    context = {"name": name, "fields": list(_flat(fields)), "left": left, "error": error}
    headers = {"hx-retarget": "#form-errors", "hx-reswap": "innerHTML"}
    return fragment(request, "fragments/form_errors.html", context, status=422, headers=headers)


def _flat(fields: Sequence[forms.Field]) -> Iterable[forms.Field]:
    for one in fields:
        if one.error:
            yield one
        yield from _flat(one.fields)
