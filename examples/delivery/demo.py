"""The whole pipeline in one process, on SQLite: started, or gone on with after a kill."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console

from examples.delivery.report import show
from examples.delivery.request import DeliveryRequest
from examples.delivery.workflow import delivery
from stagewright import Stagewright

ENDED = frozenset({"completed", "failed", "cancelled"})
LABEL = "request"

Place = tuple[str, int]
"""A stage and its visit."""


async def run(request: DeliveryRequest, url: str) -> int:
    """Deliver `request` and print the report; returns the exit code, 0 when it is deployed.

    A run of the same request that did not end (its process was killed) is gone on with.
    """
    remarks = Console(stderr=True)
    async with delivery.embedded(url=url) as client:
        workflow_id = await _unfinished(client, request)
        if workflow_id is None:
            workflow_id = await _start(client, request)
            remarks.print(f"delivering {request.name} as {workflow_id}")
        else:
            remarks.print(f"going on with {request.name}, {workflow_id}")
        view = await _watch(client, workflow_id, remarks)
        rows = list(
            report_rows(
                await _records(client, workflow_id, "steps"),
                await _records(client, workflow_id, "notes"),
            )
        )
    output = view.output if isinstance(view.output, dict) else {}
    show(
        Console(),
        f"{request.name} ({workflow_id})",
        rows,
        status=view.status,
        address=output.get("address"),
        reason=_reason(view),
    )
    return 0 if view.status == "completed" else 1


def label_of(request: DeliveryRequest) -> str:
    """Equal for equal requests: by it a run that did not end is found again."""
    return hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:16]


async def _unfinished(client: Stagewright, request: DeliveryRequest) -> str | None:
    """The newest run of this very request that has not ended."""
    page = await client.list(definition=delivery.name, label=(LABEL, label_of(request)))
    return next((row.workflow_id for row in page.rows if row.status not in ENDED), None)


async def _start(client: Stagewright, request: DeliveryRequest) -> str:
    started = await client.start(
        f"{delivery.name}@{delivery.version}",
        request.model_dump(mode="json"),
        priority=request.priority_level,
        labels={LABEL: label_of(request), "name": request.name},
    )
    return started.workflow_id


async def _watch(client: Stagewright, workflow_id: str, remarks: Console) -> Any:
    """Print a line for each stage that begins or ends, until the workflow has ended."""
    shown: set[str] = set()
    with remarks.status("starting") as spinner:
        async for view in client.follow(workflow_id):
            for line in _lines(view.stages):
                if line not in shown:
                    shown.add(line)
                    remarks.print(f"{time.strftime('%H:%M:%S')}  {line}")
            reasons = [waiting.reason for waiting in view.waiting]
            spinner.update(f"{view.progress} % {'; '.join(reasons)}")
    return await client.show(workflow_id)


def _lines(stages: Iterable[Any]) -> Iterator[str]:
    for stage in stages:
        if stage.status != "pending":
            rounds = f", round {stage.visit}" if stage.visit > 1 else ""
            attempts = f", attempt {stage.attempt}" if stage.attempt > 1 else ""
            yield f"{stage.name}{rounds}{attempts}: {stage.outcome or 'working'}"


async def _records(client: Stagewright, workflow_id: str, which: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = await client.log(workflow_id, which=which, after=after)
        records += page.records
        after = page.after
    return records


def report_rows(
    steps: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """One row for each visit of a stage that ended, in the order in which they ended."""
    artifacts, remarks = _told(notes)
    for step in steps:
        for event in step["events"]:
            if event.get("stage") and event.get("outcome"):
                place = (event["stage"], event["visit"])
                yield {
                    "stage": event["stage"],
                    "round": event["visit"],
                    "outcome": event["outcome"],
                    "duration_s": _duration_s(event),
                    "artifacts": artifacts.get(place),
                    "note": remarks.get(place),
                }


def _told(
    notes: Iterable[Mapping[str, Any]],
) -> tuple[dict[Place, dict[str, None]], dict[Place, str]]:
    """The artifacts of each visit, once each, and the last line that its agent logged."""
    artifacts: dict[Place, dict[str, None]] = {}
    remarks: dict[Place, str] = {}
    for note in notes:
        _, stage, visit, _ = note["task"].split("/")
        place = (stage, int(visit))
        if note["kind"] == "artifact":
            artifacts.setdefault(place, {})[note["name"]] = None
        if note["kind"] == "log":
            remarks[place] = note["message"]
    return artifacts, remarks


def _duration_s(event: Mapping[str, Any]) -> float | None:
    duration_ms = (event.get("usage") or {}).get("duration_ms")
    return None if duration_ms is None else duration_ms / 1000


def _reason(view: Any) -> str | None:
    """What the last failing stage said, if the workflow did not complete."""
    if view.status == "completed":
        return None
    said = [str(error["message"]) for stage in view.stages for error in stage.errors]
    return said[-1] if said else str(view.reason)
