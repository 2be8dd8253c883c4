"""The first questions to ask of a system that misbehaves, with what to do about each answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stagewright.domain.errors import listing
from stagewright.entrypoints.addresses import MEMORY, REDIS, SQLITE, scheme_of

if TYPE_CHECKING:
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.views import SystemView

Verdict = Literal["ok", "warning", "failed"]
OK: Verdict = "ok"
WARNING: Verdict = "warning"
FAILED: Verdict = "failed"
LETTERS = 1_000
_SKEW_MS = 2_000
_BAD_SKEW_MS = 5_000
"""From half of a partition's lease on, owners and heartbeats are misjudged."""
_TURN_ON = (
    "Set `appendonly yes` and `appendfsync always` in redis.conf, and at once by `redis-cli CONFIG "
    "SET appendonly yes`."
)
_SAME_TIME = "Let all machines follow the same time server (chrony, systemd-timesyncd)."
_STALE = (
    "See whether it hangs, or its clock is behind; if it is dead, others take over what it held "
    "when its leases end."
)
_PROMISES = {
    "none": "nothing survives the end of the process",
    "window": "the last moments may be lost when the server dies",
    "process": "survives the kill of any process",
    "replicated": "survives the loss of a server",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what it found."""

    check: str
    status: Verdict
    found: str
    remedy: str = ""


_MORE_DURABLE = (
    "On Redis, set `appendfsync always`; where replicas take over, add `?replicas=1` to the URL."
)


async def diagnose(client: Stagewright) -> list[Finding]:
    """Ask the system and its dead letters."""
    view = await client.system()
    offline = view.level == "offline"
    return findings(view, 0 if offline else len(await client.dead_letters(limit=LETTERS)))


def findings(view: SystemView, letters: int) -> list[Finding]:
    """Return what is to be said of a system and its dead letters, of which `LETTERS` count."""
    found = list(_of_system(view))
    if view.level != "offline":
        found.append(_of_letters(letters))
    return found


def _of_system(view: SystemView) -> Iterator[Finding]:
    broken = [port for port in view.ports if not port.ok]
    if broken:
        detail = "; ".join(f"{port.port}: {port.detail}" for port in broken)
        yield Finding("backend", FAILED, f"{view.backend}: {detail}", "Start it, or mend `url`.")
        return
    yield Finding("backend", OK, f"{view.backend} answers")
    for concern in view.concerns:
        verdict = FAILED if concern.serious else WARNING
        yield Finding(concern.check, verdict, concern.found, concern.remedy)
    yield _of_durability(view)
    yield _of_owners(view)
    yield _of_agents(view)
    yield from _of_signs(view)
    yield from _of_lanes(view)
    for loss in view.losses:
        yield Finding("losses", FAILED, loss, "Look for the workflows concerned and replay them.")


def _of_durability(view: SystemView) -> Finding:
    promise = f"{view.durability}: {_PROMISES.get(view.durability, 'unknown')}"
    if view.durability in {"process", "replicated"}:
        return Finding("durability", OK, promise)
    if view.durability == "none" and scheme_of(view.backend) in REDIS:
        promise = "none: without an append-only file, all workflows end with the server"
        return Finding("durability", FAILED, promise, _TURN_ON)
    return Finding("durability", WARNING, promise, _MORE_DURABLE)


def _of_owners(view: SystemView) -> Finding:
    free = [number for number in range(view.partitions) if number not in view.owners]
    if not free:
        holders = len(set(view.owners.values()))
        owned = "1 partition" if view.partitions == 1 else f"all {view.partitions} partitions"
        return Finding("orchestrators", OK, f"{holders} alive, {owned} owned")
    found = f"{len(free)} of {view.partitions} partitions have no owner"
    if len(free) < view.partitions:
        return Finding("orchestrators", WARNING, f"{found}: taken within seconds, if one is alive")
    return Finding("orchestrators", FAILED, found, "Run `stagewright serve` or `stagewright dev`.")


def _of_agents(view: SystemView) -> Finding:
    if not view.agents:
        return Finding("agents", WARNING, "none alive", _start_agents(view))
    names = {name for agent in view.agents for name in agent.agents}
    many = len(view.agents) > 1
    serve = f"{len(view.agents)} processes serve" if many else "1 process serves"
    return Finding("agents", OK, f"{serve} {listing(names)}")


def _start_agents(view: SystemView, name: str = "") -> str:
    """Say how agents are started: beside a file, only its owner can run them."""
    if scheme_of(view.backend) in {SQLITE, MEMORY}:
        return "Run `stagewright dev MODULE`."
    return f"Run `stagewright agent run MODULE{name and ':'}{name}`."


def _of_signs(view: SystemView) -> Iterator[Finding]:
    """Look at when each process last gave a sign of life, by its own clock."""
    signs = [("orchestrator", one.holder, one.told_at_ms, one.next_s) for one in view.orchestrators]
    signs += [("agent process", one.holder, one.told_at_ms, one.next_s) for one in view.agents]
    for kind, holder, told_at_ms, next_s in signs:
        if told_at_ms is not None:
            yield from _of_sign(f"{kind} {holder}", view.at_ms - told_at_ms, next_s * 1_000)
    for gone in view.silent:
        age_s = (view.at_ms - gone.told_at_ms) / 1_000
        yield _silent(f"{gone.kind} {gone.holder}", age_s)
    held = {one.holder for one in view.orchestrators}
    for holder in sorted(set(view.owners.values()) - held) if held else ():
        found = f"{holder} owns partitions and gives no sign of life"
        yield Finding("signs of life", WARNING, found, "They are free within seconds.")


def _of_sign(who: str, age_ms: int, next_ms: float) -> Iterator[Finding]:
    if age_ms < -_SKEW_MS:
        found = f"the clock of {who} is {-age_ms / 1_000:.1f} s ahead of the one that answers"
        verdict = FAILED if age_ms < -_BAD_SKEW_MS else WARNING
        yield Finding("clocks", verdict, found, _SAME_TIME)
    elif age_ms > 2 * next_ms + _SKEW_MS:
        yield _silent(who, age_ms / 1_000)


def _silent(who: str, age_s: float) -> Finding:
    return Finding("signs of life", WARNING, f"no sign of life of {who} for {age_s:.0f} s", _STALE)


def _of_lanes(view: SystemView) -> Iterator[Finding]:
    deserted = [lane for lane in view.lanes if not lane.live_agents]
    for lane in deserted:
        wait = "1 task waits" if lane.queued == 1 else f"{lane.queued} tasks wait"
        found = f"{wait} in {lane.lane} P{lane.priority}, no live agent"
        remedy = _start_agents(view, lane.lane.partition("@")[0])
        yield Finding("lanes", FAILED, found, remedy)
    if not deserted:
        queued = sum(lane.queued for lane in view.lanes)
        yield Finding("lanes", OK, f"{queued} task{'' if queued == 1 else 's'} queued")


def _of_letters(count: int) -> Finding:
    if not count:
        return Finding("dead letters", OK, "none")
    found = f"{count} or more" if count == LETTERS else str(count)
    return Finding("dead letters", WARNING, found, "See `stagewright dead-letter list`.")
