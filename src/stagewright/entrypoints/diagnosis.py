"""The first questions to ask of a system that misbehaves, with what to do about each answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stagewright.domain.errors import listing
from stagewright.entrypoints.addresses import MEMORY, SQLITE, scheme_of

if TYPE_CHECKING:
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.views import SystemView

Verdict = Literal["ok", "warning", "failed"]
OK: Verdict = "ok"
WARNING: Verdict = "warning"
FAILED: Verdict = "failed"
_LETTERS = 1_000
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


async def diagnose(client: Stagewright) -> list[Finding]:
    """Ask the system and its dead letters."""
    view = await client.system()
    findings = list(_of_system(view))
    if view.level != "offline":
        findings.append(_of_letters(len(await client.dead_letters(limit=_LETTERS))))
    return findings


def _of_system(view: SystemView) -> Iterator[Finding]:
    broken = [port for port in view.ports if not port.ok]
    if broken:
        detail = "; ".join(f"{port.port}: {port.detail}" for port in broken)
        yield Finding("backend", FAILED, f"{view.backend}: {detail}", "Start it, or mend `url`.")
        return
    yield Finding("backend", OK, f"{view.backend} answers")
    yield _of_durability(view)
    yield _of_owners(view)
    yield _of_agents(view)
    yield from _of_lanes(view)
    for loss in view.losses:
        yield Finding("losses", FAILED, loss, "Look for the workflows concerned and replay them.")


def _of_durability(view: SystemView) -> Finding:
    promise = f"{view.durability}: {_PROMISES.get(view.durability, 'unknown')}"
    if view.durability in {"process", "replicated"}:
        return Finding("durability", OK, promise)
    return Finding("durability", WARNING, promise, "On Redis, set `appendfsync always`.")


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
    found = f"{count} or more" if count == _LETTERS else str(count)
    return Finding("dead letters", WARNING, found, "See `stagewright dead-letter list`.")
