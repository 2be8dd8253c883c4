"""A successor of a finished workflow: finished outputs come along under names of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from stagewright.application.live import Live
from stagewright.domain import messages as m
from stagewright.domain.errors import NotFound
from stagewright.domain.outputs import stored_blob
from stagewright.domain.records import but
from stagewright.domain.workflow import INPUT_KEY, StageRecord
from stagewright.ports.blob_store import IBlobStore

CARRIED = "carried/"


def successor(
    live: Live, command_id: str, stage: str | None, edited_input: bytes | None
) -> m.Start:
    """Return the start that goes on from `stage`, or from where the workflow ended; NotFound.

    With an edited input nothing comes along: what was finished rested on the old one.
    """
    old, stages = live.state, live.compiled.plan.stages
    if stage is not None and stage not in stages:
        raise NotFound("stage", stage, known=stages)
    ended_at = old.ending.stage if old.ending is not None else None
    first = stage or (ended_at if edited_input is None else None)
    body = live.outputs.raw(INPUT_KEY) if edited_input is None else edited_input
    records, outputs = _carry(live, first) if edited_input is None else ({}, {})
    return m.Start(
        command_id=command_id,
        input=body,
        body_hash=hashlib.sha256(body + old.workflow_id.encode()).hexdigest(),
        priority=old.priority,
        labels=old.labels,
        continues=old.workflow_id,
        from_stage=first,
        carried=records,
        carried_outputs=outputs,
        title=old.title,
        description=old.description,
    )


def _carry(live: Live, first: str | None) -> tuple[dict[str, StageRecord], dict[str, bytes]]:
    """Return the records of stages that ended, and of the one to start from, with their outputs.

    All count anew, so the successor's own outputs would take the names of these.
    """
    records, outputs = dict[str, StageRecord](), dict[str, bytes]()
    for name, record in live.state.stages.items():
        if name == first or record.outcome is not None:
            records[name] = _carried(record, again=name == first)
            for key in (record.source, record.output):
                if key and key != INPUT_KEY:
                    outputs[f"{CARRIED}{key}"] = live.outputs.raw(key)
    return records, outputs


def _carried(record: StageRecord, *, again: bool) -> StageRecord:
    kept = StageRecord(
        source=_renamed(record.source) or "",
        output=_renamed(record.output),
        errors=record.errors,
    )
    if again:
        return kept
    return but(
        kept,
        outcome=record.outcome,
        started_at_ms=record.started_at_ms,
        ended_at_ms=record.ended_at_ms,
    )


def _renamed(key: str | None) -> str | None:
    return f"{CARRIED}{key}" if key and key != INPUT_KEY else key


async def carry_blobs(
    blobs: IBlobStore, before: str, after: str, outputs: Mapping[str, bytes]
) -> None:
    """Copy the blobs that outputs refer to: a blob belongs to one workflow and goes with it."""
    for raw in outputs.values():
        blob = stored_blob(raw)
        body = None if blob is None else await blobs.get(before, blob.hash)
        if body is not None:
            await blobs.put(after, body)
