from __future__ import annotations

import signal

import httpx2
import pytest

from stagewright.adapters.http.client import open_door
from stagewright.adapters.http.queries import HttpQueries
from stagewright.domain.errors import ConfigurationError, Unreachable
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.api.server import address_of, bind, serving
from tests.unit.entrypoints.fakes import ID, FakeControl, FakeLetters, view


async def test_the_door_answers_on_loopback_while_it_is_open() -> None:
    control = FakeControl()
    listener = bind(0)
    address = address_of(listener)
    app = create_app(Door(control, control, FakeLetters(control), "t"))
    async with serving(app, listener), open_door(address, "t") as client:
        assert await HttpQueries(client).show(ID) == view()
    async with open_door(address, "t") as client:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            await HttpQueries(client).show(ID)


async def test_signals_stay_with_the_owner() -> None:

    before = signal.getsignal(signal.SIGTERM)
    control = FakeControl()
    listener = bind(0)
    async with serving(create_app(Door(control, control, FakeLetters(control), "t")), listener):
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert (await http.get(address_of(listener))).status_code == 401
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_port_that_is_taken_is_named() -> None:
    with bind(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port: {port} cannot be used"):
            bind(port)
