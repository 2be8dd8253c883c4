"""What every registry must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from stagewright.ports.backend import Backend
from stagewright.ports.registry import Entry
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness


async def put(
    backend: Backend,
    clock: VirtualClock,
    name: str = "delivery",
    version: str = "1.0.0",
    hash_: str = "aa",
) -> Entry:
    """Register a definition; its body follows from its hash."""
    body = b"body " + hash_.encode()
    return await backend.registry.put_if_absent(
        "definition", name, version, hash_, body, clock.now_ms()
    )


class RegistryContract:
    """Versions are registered once, found by content, and retired without being lost."""

    async def test_a_registered_version_is_listed_and_its_body_found(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        wanted = Entry("definition", "delivery", "1.0.0", "aa", clock.now_ms())
        assert await put(backend, clock) == wanted
        assert list(await backend.registry.list("definition")) == [wanted]
        assert await backend.registry.get("definition", "aa") == b"body aa"

    async def test_what_is_unknown_is_absent(self, backend: Backend) -> None:
        assert await backend.registry.get("definition", "unknown") is None
        assert list(await backend.registry.list("contract")) == []
        assert await backend.registry.retire("definition", "delivery", "1.0.0") is False

    async def test_registering_the_same_again_changes_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = await put(backend, clock)
        clock.set_ms(clock.now_ms() + 1_000)
        assert await put(backend, clock) == first
        assert list(await backend.registry.list("definition")) == [first]

    async def test_other_content_under_a_known_version_is_a_conflict_that_changes_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = await put(backend, clock, hash_="aa")
        assert await put(backend, clock, hash_="bb") == first
        assert list(await backend.registry.list("definition")) == [first]
        assert await backend.registry.get("definition", "bb") is None

    async def test_of_many_who_register_one_version_at_once_one_prevails(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        tries = (put(backend, clock, hash_=f"{n:02x}") for n in range(10))
        answers = await asyncio.gather(*tries)
        assert len({answer.hash for answer in answers}) == 1
        assert list(await backend.registry.list("definition")) == [answers[0]]

    async def test_two_versions_may_have_the_same_content(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await put(backend, clock, version="1.0.0")
        await put(backend, clock, version="1.1.0")
        await backend.registry.retire("definition", "delivery", "1.0.0")
        listed = await backend.registry.list("definition")
        assert [(entry.version, entry.retired) for entry in listed] == [
            ("1.0.0", True),
            ("1.1.0", False),
        ]

    async def test_entries_are_listed_by_name_then_as_they_were_registered(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        registered = [
            ("b", "2.0.0"),
            ("a", "1.10.0"),
            ("b", "1.0.0"),
            ("a", "1.9.0"),
            ("a", "0.1.0"),
        ]
        for number, (name, version) in enumerate(registered):
            await put(backend, clock, name, version, f"{number:02x}")
        listed = [
            (entry.name, entry.version) for entry in await backend.registry.list("definition")
        ]
        assert listed == sorted(registered, key=lambda each: each[0])

    async def test_definitions_and_contracts_are_apart(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        definition = await put(backend, clock, "build", "1.0.0", "aa")
        contract = await backend.registry.put_if_absent(
            "contract", "build", "1.0.0", "cc", b"contract", clock.now_ms()
        )
        assert contract.hash == "cc"
        assert list(await backend.registry.list("definition")) == [definition]
        assert list(await backend.registry.list("contract")) == [contract]
        assert await backend.registry.get("definition", "cc") is None
        assert await backend.registry.get("contract", "cc") == b"contract"

    async def test_a_retired_version_keeps_its_body_and_place(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        entry = await put(backend, clock)
        assert await backend.registry.retire("definition", "delivery", "1.0.0") is True
        assert list(await backend.registry.list("definition")) == [replace(entry, retired=True)]
        assert await backend.registry.get("definition", "aa") == b"body aa"

    async def test_registering_the_same_content_brings_a_retired_version_back(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        entry = await put(backend, clock)
        await backend.registry.retire("definition", "delivery", "1.0.0")
        clock.set_ms(clock.now_ms() + 1_000)
        assert await put(backend, clock) == entry
        assert list(await backend.registry.list("definition")) == [entry]

    async def test_other_content_does_not_bring_a_retired_version_back(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        entry = await put(backend, clock, hash_="aa")
        await backend.registry.retire("definition", "delivery", "1.0.0")
        assert await put(backend, clock, hash_="bb") == replace(entry, retired=True)
        assert list(await backend.registry.list("definition")) == [replace(entry, retired=True)]

    async def test_what_was_registered_outlives_the_backend_if_it_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        entry = await put(harness.backend, clock)
        reopened = await harness.restart()
        assert list(await reopened.registry.list("definition")) == [entry] * harness.durable
        body = await reopened.registry.get("definition", "aa")
        assert body == (b"body aa" if harness.durable else None)

    async def test_a_key_that_was_retired_stays_so_for_everybody(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        registry = harness.backend.registry
        entry = await registry.put_if_absent("key", "ann", "k1", "aa", b"key", clock.now_ms())
        other = await registry.put_if_absent("key", "ann", "k2", "bb", b"key", clock.now_ms())
        gone = await asyncio.gather(*(registry.retire("key", "ann", "k1") for _ in range(5)))
        assert gone == [True] * 5
        wanted = [replace(entry, retired=True), other]
        assert list(await registry.list("key")) == wanted
        reopened = await harness.restart()
        assert list(await reopened.registry.list("key")) == wanted * harness.durable
        assert list(await reopened.registry.list("definition")) == []
