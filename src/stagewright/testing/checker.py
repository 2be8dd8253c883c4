"""An independent judge of a run: reads only what was stored and what the agents noted themselves.

It knows nothing of how the run went. It is told which workflows were acknowledged, and is given
each one's log, snapshot and outputs, and the journals in which agents noted every execution before
they answered. From these it says what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from stagewright.domain.events import StageComplete, StepRecord, decode_step
from stagewright.domain.evolve import replay
from stagewright.domain.snapshot import decode_state, encode_state
from stagewright.ports.workflow_store import IWorkflowStore, Stored


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution as its agent noted it."""

    workflow_id: str
    stage: str
    visit: int
    output: bytes
    """Canonical JSON."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is stored of one workflow."""

    workflow_id: str
    log: Sequence[bytes]
    snapshot: bytes
    outputs: Mapping[str, bytes]


def judge(
    acknowledged: Iterable[str], evidence: Iterable[Evidence], journal: Iterable[Execution]
) -> list[str]:
    """Return every violation as a sentence; an empty list is an acquittal."""
    found = {item.workflow_id: item for item in evidence}
    executed: dict[tuple[str, str, int], set[bytes]] = {}
    for entry in journal:
        executed.setdefault((entry.workflow_id, entry.stage, entry.visit), set()).add(entry.output)
    violations = []
    for workflow_id in acknowledged:
        if workflow_id not in found:
            violations.append(f"{workflow_id} was acknowledged and is lost")
        else:
            violations.extend(_judge_one(found[workflow_id], executed))
    return violations


def _judge_one(
    item: Evidence, executed: Mapping[tuple[str, str, int], set[bytes]]
) -> Iterable[str]:
    steps = [decode_step(body) for body in item.log]
    yield from _numbering(item.workflow_id, steps)
    yield from _completions(item, steps, executed)
    state = replay(item.workflow_id, steps)
    if state is None or encode_state(state) != item.snapshot:
        yield f"{item.workflow_id}: the snapshot is not the fold of the log"
    if not decode_state(item.snapshot).status.terminal:
        yield f"{item.workflow_id} has not ended: {decode_state(item.snapshot).awaiting}"


def _numbering(workflow_id: str, steps: Sequence[StepRecord]) -> Iterable[str]:
    numbers = [step.n for step in steps]
    if numbers != list(range(1, len(steps) + 1)):
        yield f"{workflow_id}: steps are numbered {numbers}"
    for id_, times in Counter(step.id for step in steps).items():
        if times > 1:
            yield f"{workflow_id}: step {id_} stands in the log {times} times"
    results = Counter(step.cause for step in steps if step.cause.startswith("result "))
    for cause, times in results.items():
        if times > 1:
            yield f"{workflow_id}: {cause} was applied {times} times"


def _completions(
    item: Evidence,
    steps: Sequence[StepRecord],
    executed: Mapping[tuple[str, str, int], set[bytes]],
) -> Iterable[str]:
    """Each visit completes once, with an output that an agent really gave."""
    ended = [e for step in steps for e in step.events if isinstance(e, StageComplete)]
    for (stage, visit), times in Counter((e.stage, e.visit) for e in ended).items():
        if times > 1:
            yield f"{item.workflow_id}: {stage} visit {visit} completed {times} times"
    for event in ended:
        if event.output is None or event.attempt == 0:
            continue
        given = executed.get((item.workflow_id, event.stage, event.visit), set())
        if item.outputs.get(event.output) not in given:
            yield f"{item.workflow_id}: no agent gave the output of {event.stage}"


async def gather(store: IWorkflowStore, workflow_ids: Sequence[str]) -> list[Evidence]:
    """Read what is stored of the workflows; those that are missing are left out."""
    found = []
    for start in range(0, len(workflow_ids), 200):
        for stored in await store.load(workflow_ids[start : start + 200]):
            if isinstance(stored, Stored):
                log = await store.log(stored.workflow_id, "steps", 0, 10_000)
                found.append(
                    Evidence(stored.workflow_id, log, stored.snapshot, dict(stored.outputs))
                )
    return found


def read_journals(folder: Path) -> list[Execution]:
    """Read the journals that agents wrote into a folder, one JSON object a line.

    The last line of a killed agent may be cut off: it had not answered yet.
    """
    entries = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            body = orjson.loads(line)
            output = orjson.dumps(body["output"], option=orjson.OPT_SORT_KEYS)
            entries.append(Execution(body["workflow_id"], body["stage"], body["visit"], output))
    return entries
