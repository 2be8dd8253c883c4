"""While a workflow is paused, what comes in is recorded; on resume it is applied in order."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from stagewright.domain import messages as m
from stagewright.domain.draft import Draft
from stagewright.domain.events import MessageParked
from stagewright.domain.ids import TaskId
from stagewright.domain.records import as_dict
from stagewright.domain.workflow import Parked

_KINDS: dict[type[Any], str] = {m.Result: "result", m.TimerFired: "timer", m.TaskExpired: "expired"}


def park(draft: Draft, message: Any) -> None:
    """Record a message until the workflow is resumed; one that is recorded already is ignored."""
    kind = _KINDS[type(message)]
    ref = message.timer_id if kind == "timer" else str(message.task)
    if any(p.ref == ref for p in draft.current.parked):
        draft.ignore(f"{kind} {ref} is recorded already; the workflow is paused")
        return
    draft.emit(MessageParked(Parked(kind, ref, _spell(message))))


def _spell(message: Any) -> Mapping[str, Any]:
    body = as_dict(message)
    body.pop("task", None)
    if "output" in body:
        body["output"] = base64.b64encode(body["output"]).decode()
        body["errors"], body["violations"] = list(body["errors"]), list(body["violations"])
    return body


def unpark(workflow_id: str, parked: Parked) -> m.Message:
    """Return the message that was recorded."""
    body = dict(parked.body)
    if parked.kind == "timer":
        return m.TimerFired(**body)
    task = TaskId.parse(parked.ref)
    if task.workflow_id != workflow_id:
        msg = f"{parked.ref} was recorded for another workflow than {workflow_id}"
        raise ValueError(msg)
    if parked.kind == "expired":
        return m.TaskExpired(task=task, **body)
    body["output"] = base64.b64decode(body["output"])
    body["errors"], body["violations"] = tuple(body["errors"]), tuple(body["violations"])
    return m.Result(task=task, **body)
