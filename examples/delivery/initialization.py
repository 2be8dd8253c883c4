"""First stage: refuse what cannot be delivered, and prepare a place for the rest."""

from __future__ import annotations

from anyio.to_thread import run_sync as in_thread

from examples.delivery import places
from examples.delivery.context import Context
from examples.delivery.errors import RequestRefused
from examples.delivery.repository import Repository
from examples.delivery.request import DeliveryRequest
from examples.delivery.request_checks import problems
from examples.delivery.results import InitializationResult, Workspace


async def initialize(request: DeliveryRequest, ctx: Context) -> InitializationResult:
    """Check the request and prepare its repository; `RequestRefused` says what is impossible."""
    found = problems(request)
    if found:
        raise RequestRefused(found)
    await ctx.artifact("request.json", request.model_dump_json(indent=2).encode())
    workspace = await in_thread(_prepare, request, ctx.workflow_id)
    await ctx.log(f"on {workspace.branch}")
    return InitializationResult(workspace=workspace)


def _prepare(request: DeliveryRequest, workflow_id: str) -> Workspace:
    home = places.default_home()
    repository = Repository.ensure(places.repository_path(home, request.name))
    return Workspace(
        home=str(home),
        repository=str(repository.path),
        branch=f"delivery/{places.short_id(workflow_id)}",
        base_commit=repository.head(),
    )
