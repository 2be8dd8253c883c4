"""Every shipped request goes through all agents, from its file to an answering service."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from examples.delivery.errors import RequestRefused
from examples.delivery.http_client import send
from tests.acceptance.delivery.driver import Delivery, shipped

pytestmark = pytest.mark.usefixtures("home")


async def test_hello_world_is_delivered_and_answers() -> None:
    delivery = Delivery(shipped("hello-world"))
    deployed = await delivery.deliver()
    reply = send(deployed.address, "GET", "/hello/Grace")
    assert reply.body == {"message": "Hello, Grace!", "to": "Grace"}
    assert delivery.visits["scaffolding"] == 1


async def test_the_to_do_list_is_delivered_and_keeps_records() -> None:
    deployed = await Delivery(shipped("todo")).deliver()
    stored = send(deployed.address, "POST", "/todos", {"title": "Read the tests"}).body
    assert stored == {"id": 1, "title": "Read the tests", "done": False, "urgency": 3, "due": None}
    assert send(deployed.address, "GET", "/todos/1").body == stored


async def test_notes_need_a_second_round_because_of_their_letters() -> None:
    delivery = Delivery(shipped("notes-search"))
    deployed = await delivery.deliver()
    assert [each.stage for each in delivery.rounds] == ["e2e"]
    codes = {finding["code"] for finding in delivery.rounds[0].output["findings"]}
    assert codes == {"search-missed"}
    send(deployed.address, "POST", "/notes", {"title": "ÄPFEL", "body": "-"})
    found = send(deployed.address, "GET", "/notes?search=%C3%A4pfel").body
    assert found == {"items": [{"id": 1, "title": "ÄPFEL", "body": "-"}], "next": None}


async def test_notes_in_plain_letters_need_no_second_round() -> None:
    request = shipped("notes-search")
    (notes,) = request.resources
    plain = notes.model_copy(update={"examples": notes.examples[:1]})
    delivery = Delivery(request.model_copy(update={"resources": (plain,)}))
    await delivery.build()
    assert delivery.visits["scaffolding"] == 1


async def test_the_contact_form_needs_a_second_round_because_of_its_rules() -> None:
    delivery = Delivery(shipped("contact-form"))
    deployed = await delivery.deliver()
    assert [each.stage for each in delivery.rounds] == ["validation"]
    first = delivery.rounds[0].output
    assert first["coverage_percent"] < first["required_percent"] == 97
    refused = send(deployed.address, "POST", "/messages", {"name": "A", "email": "nobody"})
    assert refused.status == 422


def test_the_impossible_request_is_refused_with_every_reason(home: Path) -> None:
    with pytest.raises(RequestRefused) as refused:
        anyio.run(Delivery(shipped("impossible")).initialize)
    fields = [problem.partition(":")[0] for problem in refused.value.problems]
    assert fields == [
        "requirements[0]",
        "requirements[1]",
        "endpoints[1].path",
        "endpoints[2].path",
        "endpoints[3].answer.body",
    ]
    assert list(home.glob("*")) == [], "nothing is prepared for what cannot be built"
