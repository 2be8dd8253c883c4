"""On which address a server listens, and what it wants first."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import httpx2
import pytest

from stagewright.domain.errors import ConfigurationError, NotFound, UsageError
from stagewright.entrypoints.admission import rules_of
from stagewright.entrypoints.api.rules import LOOPBACK_NAMES
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import connection_of
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.hosting import commands_of_user, open_the_door
from stagewright.entrypoints.settings import Settings
from stagewright.ports.audit import AuditQuery
from stagewright.ports.control import StartRequest
from stagewright.ports.keys import KeyRequest

EVERYWHERE = Settings(url="memory://", host="0.0.0.0", allowed_hosts="Flows.example:443, other")
MEMORY = Settings(url="memory://")


def test_loopback_needs_no_key_and_answers_to_its_own_names() -> None:
    rules = rules_of(MEMORY, keys=False, development=False)
    assert (rules.hosts, rules.development) == (LOOPBACK_NAMES, False)
    assert rules_of(MEMORY, keys=False, development=True).development


def test_beyond_loopback_a_key_comes_first() -> None:
    with pytest.raises(ConfigurationError, match="no API key yet"):
        rules_of(EVERYWHERE, keys=False, development=False)
    assert rules_of(EVERYWHERE, keys=True, development=False).hosts == LOOPBACK_NAMES | {
        "flows.example",
        "other",
    }


def test_development_never_leaves_the_machine() -> None:
    with pytest.raises(ConfigurationError, match="development mode"):
        rules_of(EVERYWHERE, keys=True, development=True)


@pytest.mark.parametrize(
    ("host", "name"), [("10.0.0.7", "10.0.0.7"), ("::1", "[::1]"), ("fd00::7", "[fd00::7]")]
)
def test_an_address_is_a_name_too(host: str, name: str) -> None:
    assert name in rules_of(Settings(host=host), keys=True, development=False).hosts


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an IP address"):
        rules_of(Settings(host="1.2.3"), keys=True, development=False)


async def test_a_server_beyond_loopback_refuses_to_start_without_a_key() -> None:
    async with opened(EVERYWHERE) as container:
        with pytest.raises(ConfigurationError, match="key create"):
            async with open_the_door(container, 0):
                raise AssertionError
        key = await container.control().access.keys.create(KeyRequest(name="a", scopes=("read",)))
        async with (
            open_the_door(container, 0) as door,
            Stagewright(door.address, token=key.secret) as client,
        ):
            assert (await client.system()).backend == "memory://"


async def test_only_a_server_for_development_needs_no_key() -> None:
    for development, status in ((False, 401), (True, 200)):
        async with (
            opened(MEMORY) as container,
            open_the_door(container, 0, development=development) as door,
            httpx2.AsyncClient(trust_env=False) as http,
        ):
            assert (await http.get(f"{door.address}/api/v1/system")).status_code == status
            assert door.keys is False


async def test_a_process_acts_in_the_name_of_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    async with opened(MEMORY) as container:
        with pytest.raises(NotFound):
            await commands_of_user(container).start(StartRequest(definition="unknown"))
        (entry,) = (await container.control().access.audit.page(AuditQuery())).entries
        assert (entry.actor, entry.door, entry.outcome) == ("ann", "cli", "refused")


async def test_workflows_of_a_process_of_its_own_have_neither_keys_nor_audit() -> None:
    async with opened(MEMORY) as container:
        connection = connection_of(container.control())
        client = Stagewright.over(lambda: nullcontext(connection))
        for asked in (client.keys(), client.audit()):
            with pytest.raises(UsageError, match="inside this process"):
                await asked


async def test_a_file_whose_owner_listens_on_another_loopback_address_is_reached(
    tmp_path: Path,
) -> None:
    settings = Settings(url=f"sqlite:///{tmp_path / 'state.db'}", host="::1")
    async with opened(settings) as container, open_the_door(container, 0) as door:
        assert door.address.startswith("http://[::1]:")
        async with Stagewright.of(settings) as client:
            assert (await client.system()).backend == settings.url
