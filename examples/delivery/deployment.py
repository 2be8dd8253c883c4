"""Last stage: let the service serve, and go back if it does not."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

from anyio.to_thread import run_sync as in_thread

from examples.delivery import places, services
from examples.delivery.context import Context
from examples.delivery.errors import NoAnswer, RolledBack, ServiceNotStarted
from examples.delivery.exercise import Probe, exercise_endpoints
from examples.delivery.http_client import send
from examples.delivery.releases import Release, Releases
from examples.delivery.repository import Repository
from examples.delivery.request import DeliveryRequest
from examples.delivery.results import CommitTask, DeploymentResult
from examples.delivery.services import ServiceCommand, ServiceRecord


async def deploy(task: CommitTask, ctx: Context) -> DeploymentResult:
    """Install the commit as the next release and let it serve.

    `RolledBack` if it is not healthy: then the previous release serves again, checked too.
    """
    releases = Releases(places.deployment_path(Path(task.workspace.home), task.request.name))
    async with releases.alone():
        release, service = await _serving(task, ctx, releases)
        await in_thread(releases.prune)
    previous = releases.last_healthy(before=release)
    result = DeploymentResult(
        name=task.request.name,
        release=release.number,
        previous=previous.number if previous else None,
        address=service.address,
        path=str(releases.path(release)),
        commit=release.commit,
    )
    await ctx.artifact("deployment.json", json.dumps(result.model_dump(), indent=2).encode())
    return result


async def _serving(
    task: CommitTask, ctx: Context, releases: Releases
) -> tuple[Release, ServiceRecord]:
    """The release of this deployment and its running service, whatever an attempt before did."""
    release = await in_thread(releases.by_key, ctx.idempotency_key)
    if release is not None:
        await ctx.log(f"an earlier attempt installed release {release.number}, going on with it")
        service = services.running(releases.service)
        if release.healthy and releases.current() == release and service and service.address:
            return release, service
    else:
        repository = Repository(Path(task.workspace.repository))
        release = await in_thread(
            releases.install, repository, task.commit, task.request.package, ctx.idempotency_key
        )
    previous = releases.last_healthy(before=release)
    try:
        service = await _start(releases, release)
        await in_thread(_check, service, release, task.request)
    except (NoAnswer, ServiceNotStarted) as error:
        await ctx.log(f"release {release.number} is not healthy, rolling back: {error}")
        raise await _rolled_back(releases, release, previous, str(error)) from error
    await ctx.log(f"release {release.number} serves")
    return await in_thread(releases.mark_healthy, release), service


async def _start(releases: Releases, release: Release) -> ServiceRecord:
    """Stop what serves, switch to `release` and start it on the same port, if there was one."""
    await in_thread(services.stop, releases.service)
    await in_thread(releases.switch, release)
    command = ServiceCommand(
        package=release.package,
        code=releases.path(release),
        database=releases.database,
        release=str(release.number),
        port=releases.port,
    )
    service = await services.detached(command, releases.service)
    releases.keep_port(service.address)
    return service


async def _rolled_back(
    releases: Releases, release: Release, previous: Release | None, reason: str
) -> RolledBack:
    try:
        await _roll_back(releases, previous)
    except (NoAnswer, ServiceNotStarted) as error:
        return RolledBack(release.number, f"{reason}; the one before it neither: {error}", None)
    return RolledBack(release.number, reason, previous.number if previous else None)


async def _roll_back(releases: Releases, previous: Release | None) -> None:
    """Let `previous` serve again; without one, nothing serves."""
    if previous is None:
        await in_thread(services.stop, releases.service)
        await in_thread(releases.switch, None)
        return
    service = await _start(releases, previous)
    await in_thread(_check_health, service, previous)


def _check(service: ServiceRecord, release: Release, request: DeliveryRequest) -> None:
    """Is it this release that answers, and as declared? Nothing is written to its records."""
    _check_health(service, release)
    probe = Probe.of(service.address, request)
    exercise_endpoints(probe, request, only_get=True)
    if probe.findings:
        raise NoAnswer("; ".join(map(str, probe.findings)))


def _check_health(service: ServiceRecord, release: Release) -> None:
    reply = send(service.address, "GET", "/health")
    answered = reply.body.get("release") if isinstance(reply.body, dict) else None
    if reply.status != HTTPStatus.OK or answered != str(release.number):
        raise NoAnswer(f"GET {service.address}/health answers {reply.status}: {reply.body}")
