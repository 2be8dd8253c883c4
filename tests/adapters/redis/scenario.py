"""A life that uses everything: what it leaves behind, and what it calls, can then be looked at."""

from __future__ import annotations

from dataclasses import replace

from stagewright.ports.audit import AuditEntry, AuditQuery
from stagewright.ports.backend import Backend
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task_queue import Completion
from stagewright.ports.workflow_store import Query, Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claim,
    committed,
    entry,
    inbox,
    lease_of,
    observed,
    published,
    start,
    task,
    then,
    workflow,
)


async def live(backend: Backend, clock: VirtualClock) -> list[str]:
    """Let one workflow of every partition live through everything; return their ids."""
    ids = [workflow(number, number) for number in range(backend.partitions)]
    for workflow_id in ids:
        await _live_one(backend, clock, workflow_id)
    await _small_stores(backend, clock)
    await observed(backend, clock, *ids)
    await backend.store.query(Query(text="x", status="running", label=("team", "red")))
    return ids


async def _live_one(backend: Backend, clock: VirtualClock, id_: str) -> None:
    now_ms = clock.now_ms()
    await published(backend, clock, id_, b"a", b"b", b"c")
    letter = DeadLetter(f"{id_[:3]}-letter", id_, "unreadable", b"?", now_ms)
    first = start(
        id_,
        outputs={"input": b"1"},
        new_tasks=(task(id_), task(id_, "lint"), task(id_, "deploy")),
        timers={"deadline": now_ms + 1_000, "retry": now_ms},
        index=entry(labels={"team": "red"}, key="order-1"),
        dead_letters=(letter, replace(letter, letter_id=f"{id_[:3]}-other")),
    )
    await committed(backend, clock, first)
    one, two, _ = await backend.tasks.claim(claim(), now_ms)
    await backend.tasks.extend([lease_of(one)], 40, now_ms)
    await backend.tasks.release([lease_of(two)], lost=True, now_ms=now_ms)
    done = Completion(one.task_id, one.token, b"result")
    await backend.tasks.complete([done], claim(), now_ms)
    await backend.bus.publish(Topic.NOTES, [Message(id_, b"note")], now_ms)
    await backend.bus.publish(Topic.DELTAS, [Message(id_, b"delta")], now_ms)
    mine = [message for message in await inbox(backend, clock) if message.body != b"left"]
    await backend.bus.reject(mine[0], "unfit", now_ms)
    await backend.bus.acknowledge([mine[1]])
    second = then(
        first,
        outputs={"build/1": b"2"},
        consumed=(mine[2].position,),
        fences=(lease_of(one),),
        closed_tasks=(one.task_id,),
        cleared_timers=("deadline",),
        suspended=True,
        index=entry(status="waiting"),
    )
    await committed(backend, clock, second)
    await committed(backend, clock, then(second, suspended=False))
    await backend.dead_letters.redrive(letter.letter_id, b"left", now_ms)
    await backend.dead_letters.discard(f"{id_[:3]}-other")
    await backend.blobs.put(id_, b"big")


async def _small_stores(backend: Backend, clock: VirtualClock) -> None:
    now_ms = clock.now_ms()
    await backend.kv.set("a", b"1", 60, now_ms)
    await backend.kv.compare_and_set("a", b"1", b"2", None, now_ms)
    await backend.kv.increment("count", 1, None, now_ms)
    await backend.kv.scan("a", now_ms)
    await backend.kv.delete("count")
    await backend.registry.put_if_absent("definition", "delivery", "1.0.0", "h", b"{}", now_ms)
    await backend.registry.retire("definition", "delivery", "1.0.0")
    await backend.registry.list("definition")
    facts = {"actor": "ann", "action": "workflow.cancel", "target": "x"}
    await backend.audit.put([AuditEntry(entry_id="1" * 13 + "-a", at_ms=now_ms, **facts)], now_ms)
    await backend.audit.list(AuditQuery(actor="ann"), now_ms)


async def forget(backend: Backend, clock: VirtualClock, workflow_id: str) -> None:
    """Forget a workflow that has lived through `live`."""
    (found,) = await backend.store.load([workflow_id])
    assert found is not None
    tombstone = Tombstone(workflow_id, "completed", "00", clock.now_ms() + 60_000)
    assert await backend.store.forget(workflow_id, found.step_id, tombstone)  # type: ignore[union-attr]
