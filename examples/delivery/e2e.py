"""Fourth stage: ask the running service for everything that the request promises."""

from __future__ import annotations

import json
from pathlib import Path

from anyio.to_thread import run_sync as in_thread

from examples.delivery.context import Context
from examples.delivery.errors import DeliveryCancelled, ServiceNotStarted
from examples.delivery.exercise import Probe, exercise_endpoints, exercise_manners
from examples.delivery.exercise_records import Stored, exercise_resource, recall
from examples.delivery.places import attempt_folder
from examples.delivery.repository import Repository
from examples.delivery.request import DeliveryRequest
from examples.delivery.requirements import expectations
from examples.delivery.results import CommitTask, E2eResult, Finding
from examples.delivery.services import ServiceCommand, supervised

Kept = dict[str, Stored]


async def try_out(task: CommitTask, ctx: Context) -> E2eResult:
    """Start the service of the commit and exercise it; `rework` with findings if it fails."""
    async with attempt_folder(ctx, task.workspace) as folder:
        code = folder / "code"
        await in_thread(Repository(Path(task.workspace.repository)).export, task.commit, code)
        database = folder / "records.db"
        command = ServiceCommand(package=task.request.package, code=code, database=database)
        try:
            findings, checks = await _run(ctx, task.request, command, folder)
        except ServiceNotStarted as error:
            broken = Finding(tool="e2e", code="no-start", where="service", message=str(error))
            findings, checks = [broken], 0
    verdict = "rework" if findings else "ok"
    result = E2eResult(verdict=verdict, findings=tuple(findings), checks=checks)
    await ctx.log(f"{len(findings)} findings in {checks} checks")
    await ctx.artifact("e2e.json", json.dumps(result.model_dump(), indent=2).encode())
    return result


async def _run(
    ctx: Context, request: DeliveryRequest, command: ServiceCommand, folder: Path
) -> tuple[list[Finding], int]:
    async with supervised(command, folder / "service") as service:
        await ctx.log(f"{request.name} answers at {service.address}")
        probe = Probe.of(service.address, request)
        kept = await _exercise(ctx, probe, request)
    findings, checks = probe.findings, probe.checks
    if kept and expectations(request.requirements).survives_restart:
        async with supervised(command, folder / "service") as service:
            again = Probe.of(service.address, request)
            await in_thread(_recall, again, request, kept)
        findings, checks = findings + again.findings, checks + again.checks
    return findings, checks


async def _exercise(ctx: Context, probe: Probe, request: DeliveryRequest) -> Kept:
    call = await ctx.tool_call("http", {"address": probe.address})
    await in_thread(exercise_endpoints, probe, request)
    await in_thread(exercise_manners, probe, request)
    kept: Kept = {}
    for resource in request.resources:
        if ctx.cancelled:
            raise DeliveryCancelled("the workflow was cancelled during e2e")
        stored = await in_thread(exercise_resource, probe, resource)
        if stored is not None:
            kept[resource.name] = stored
    await ctx.tool_result(call, {"checks": probe.checks, "findings": len(probe.findings)})
    return kept


def _recall(probe: Probe, request: DeliveryRequest, kept: Kept) -> None:
    for resource in request.resources:
        if resource.name in kept:
            recall(probe, resource, kept[resource.name])
