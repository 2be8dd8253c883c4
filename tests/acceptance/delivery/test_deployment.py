"""Releases serve, or the one before them serves again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from examples.delivery import services
from examples.delivery.deployment import deploy
from examples.delivery.errors import RolledBack
from examples.delivery.http_client import send
from examples.delivery.releases import Releases
from examples.delivery.request import DeliveryRequest
from tests.acceptance.delivery.driver import Delivery, RecordingContext, shipped


async def scaffolded(request: DeliveryRequest) -> tuple[Delivery, str]:
    delivery = Delivery(request)
    await delivery.initialize()
    return delivery, (await delivery.scaffold()).commit


def with_another_field(request: DeliveryRequest) -> DeliveryRequest:
    """The same service with records of another form: healthy anywhere but on the old records."""
    (todos,) = request.resources
    fields = (*todos.fields, todos.fields[0].model_copy(update={"name": "place"}))
    return request.model_copy(update={"resources": (todos.model_copy(update={"fields": fields}),)})


def releases(home: Path, name: str) -> Releases:
    return Releases(home / "deployed" / name)


async def test_a_release_that_is_unhealthy_only_when_deployed_is_rolled_back(home: Path) -> None:
    delivery, commit = await scaffolded(shipped("todo"))
    first = await delivery.deploy(commit)
    kept = send(first.address, "POST", "/todos", {"title": "Stay"}).body
    changed = Delivery(with_another_field(shipped("todo")))
    built = await changed.build()
    with pytest.raises(RolledBack, match="this release needs") as rolled_back:
        await changed.deploy(built.commit)
    assert (rolled_back.value.release, rolled_back.value.serving) == (2, first.release)
    assert send(first.address, "GET", "/todos/1").body == kept
    assert send(first.address, "GET", "/health").body["release"] == "1"
    current = releases(home, "todo").current()
    assert current is not None
    assert current.number == first.release


async def test_a_first_release_that_is_not_healthy_leaves_nothing_running(
    home: Path, tmp_path: Path
) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    ill = delivery.plant(
        commit, tmp_path / "code", {"hello_world/app.py": ("Answer(200", "Answer(503")}
    )
    with pytest.raises(RolledBack, match="answers 503") as rolled_back:
        await delivery.deploy(ill)
    assert rolled_back.value.serving is None
    assert services.running(releases(home, "hello-world").service) is None
    assert releases(home, "hello-world").current() is None


async def test_a_release_that_answers_otherwise_than_declared_is_rolled_back(
    tmp_path: Path, home: Path
) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    change = {"hello_world/endpoints.py": ("Hello, world", "Goodbye, world")}
    wrong = delivery.plant(commit, tmp_path / "code", change)
    with pytest.raises(RolledBack, match="Goodbye"):
        await delivery.deploy(wrong)
    assert services.running(releases(home, "hello-world").service) is None


async def test_the_next_release_serves_at_the_same_address(home: Path) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    first = await delivery.deploy(commit)
    second = await delivery.deploy(commit)
    assert (second.release, second.previous) == (2, 1)
    assert second.address == first.address
    assert send(second.address, "GET", "/health").body["release"] == "2"
    assert (home / "deployed" / "hello-world" / "current").resolve() == Path(second.path)


async def test_a_port_that_somebody_took_is_left_to_them(home: Path) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    first = await delivery.deploy(commit)
    services.stop(releases(home, "hello-world").service)
    with socket.create_server(("127.0.0.1", int(first.address.rpartition(":")[2]))):
        second = await delivery.deploy(commit)
    assert second.address != first.address


@pytest.mark.usefixtures("home")
async def test_another_attempt_at_a_finished_deployment_deploys_nothing() -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    first = await delivery.deploy(commit)
    context = RecordingContext(delivery.workflow_id, "deployment", visit=1, attempt=2)
    assert await deploy(delivery.task(commit), context) == first


async def test_an_attempt_killed_after_the_installation_is_gone_on_with(home: Path) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    key = f"{delivery.workflow_id}/deployment/1"
    left = releases(home, "hello-world").install(delivery.repository, commit, "hello_world", key)
    deployed = await delivery.deploy(commit)
    assert deployed.release == left.number
    assert [each.number for each in releases(home, "hello-world").all()] == [left.number]


async def test_the_service_of_an_attempt_killed_before_its_check_is_replaced(home: Path) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    place = releases(home, "hello-world")
    key = f"{delivery.workflow_id}/deployment/1"
    left = place.install(delivery.repository, commit, "hello_world", key)
    command = services.ServiceCommand(
        package="hello_world", code=place.path(left), database=place.database, release="1"
    )
    unchecked = await services.detached(command, place.service)
    deployed = await delivery.deploy(commit)
    assert not unchecked.process.alive
    assert send(deployed.address, "GET", "/health").body["release"] == "1"


async def test_only_the_newest_releases_are_kept(home: Path) -> None:
    delivery, commit = await scaffolded(shipped("hello-world"))
    for number in range(1, 9):
        installed = releases(home, "hello-world")
        installed.install(delivery.repository, commit, "hello_world", f"key-{number}")
    await delivery.deploy(commit)
    assert [each.number for each in releases(home, "hello-world").all()] == [5, 6, 7, 8, 9]
