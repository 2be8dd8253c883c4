"""What every record of changes must do."""

from __future__ import annotations

import asyncio
from typing import Any

from stagewright.ports.audit import AuditEntry, AuditPage, AuditQuery
from stagewright.ports.backend import Backend
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import AUDIT_RETENTION_S, Harness


def entry(clock: VirtualClock, number: int, **given: Any) -> AuditEntry:
    """Return an entry of this instant, the `number`-th of its kind."""
    facts: dict[str, Any] = {"actor": "ann", "action": "workflow.cancel", "target": "w1"}
    now_ms = clock.now_ms()
    return AuditEntry(entry_id=f"{now_ms:013d}-{number:032x}", at_ms=now_ms, **(facts | given))


async def listed(backend: Backend, clock: VirtualClock, **query: Any) -> AuditPage:
    """Return a page as of now."""
    return await backend.audit.list(AuditQuery(**query), clock.now_ms())


async def everything(backend: Backend, clock: VirtualClock, **query: Any) -> list[AuditEntry]:
    """Follow the cursors to the end."""
    page = await listed(backend, clock, **query)
    found = page.entries
    while page.cursor is not None:
        page = await listed(backend, clock, cursor=page.cursor, **query)
        found += page.entries
    return found


class AuditContract:
    """Entries are found newest first, by whom they name, for as long as they are kept."""

    async def test_entries_are_listed_newest_first(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        early = [entry(clock, number) for number in (1, 3, 2)]
        await backend.audit.put(early[:2], clock.now_ms())
        await backend.audit.put(early[2:], clock.now_ms())
        clock.set_ms(clock.now_ms() + 1)
        late = entry(clock, 0, after={"status": "cancelled", "step": 7}, detail="ö")
        await backend.audit.put([late], clock.now_ms())
        first, third, second = early
        page = await listed(backend, clock)
        assert (page.entries, page.cursor) == ([late, third, second, first], None)

    async def test_nothing_is_listed_where_nothing_was_written(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await backend.audit.put([], clock.now_ms())
        assert await listed(backend, clock) == AuditPage(entries=[])

    async def test_an_entry_is_completed_by_writing_it_again(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        begun = entry(clock, 1)
        done = begun.model_copy(update={"outcome": "done", "target": "w2"})
        await backend.audit.put([begun], clock.now_ms())
        await backend.audit.put([done], clock.now_ms())
        assert (await listed(backend, clock)).entries == [done]
        assert (await listed(backend, clock, target="w2")).entries == [done]
        assert (await listed(backend, clock, target="w1")).entries == []

    async def test_each_filter_finds_its_own_and_all_together_those_of_all(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        made = [
            entry(clock, number, actor=actor, action=action, target=target)
            for number, (actor, action, target) in enumerate(
                (a, b, c) for a in ("ann", "an") for b in ("x.y", "x") for c in ("t", "t\n", "t t")
            )
        ]
        await backend.audit.put(made, clock.now_ms())
        for name, value in (("actor", "an"), ("action", "x"), ("target", "t"), ("target", "t t")):
            found = (await listed(backend, clock, **{name: value})).entries
            assert found == [e for e in reversed(made) if getattr(e, name) == value]
        both = await listed(backend, clock, actor="ann", action="x", target="t\n")
        assert [(e.actor, e.action, e.target) for e in both.entries] == [("ann", "x", "t\n")]
        assert (await listed(backend, clock, actor="nobody")).entries == []

    async def test_pages_follow_one_another_without_gap_while_others_write(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        made = [entry(clock, number, actor=f"a{number % 2}") for number in range(10, 30)]
        await backend.audit.put(made, clock.now_ms())
        page = await listed(backend, clock, limit=7)
        clock.set_ms(clock.now_ms() + 1)
        await backend.audit.put([entry(clock, 99)], clock.now_ms())
        rest = await everything(backend, clock, limit=7)
        assert rest[1:] == made[::-1]
        follow = await listed(backend, clock, limit=50, cursor=page.cursor)
        assert page.entries + follow.entries == made[::-1]
        odd = await everything(backend, clock, limit=3, actor="a1", action="workflow.cancel")
        assert odd == made[:0:-2]

    async def test_an_entry_whose_time_is_over_is_not_listed_and_goes_when_others_come(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        old = [entry(clock, number) for number in range(3)]
        await backend.audit.put(old, clock.now_ms())
        clock.set_ms(clock.now_ms() + round(AUDIT_RETENTION_S * 1000) - 1)
        young = entry(clock, 7)
        await backend.audit.put([young], clock.now_ms())
        assert len((await listed(backend, clock)).entries) == 4
        clock.set_ms(clock.now_ms() + 2)
        assert (await listed(backend, clock)).entries == [young]
        for number in range(2):
            await backend.audit.put([entry(clock, number)], clock.now_ms())
        clock.set_ms(young.at_ms)
        assert len((await listed(backend, clock)).entries) == 3

    async def test_entries_that_many_write_at_once_are_all_there(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        made = [entry(clock, number) for number in range(100)]
        await asyncio.gather(*(backend.audit.put([one], clock.now_ms()) for one in made))
        assert await everything(backend, clock, limit=30) == made[::-1]

    async def test_entries_outlive_the_backend_if_it_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        one = entry(clock, 1)
        await harness.backend.audit.put([one], clock.now_ms())
        reopened = await harness.restart()
        assert (await listed(reopened, clock)).entries == [one] * harness.durable
