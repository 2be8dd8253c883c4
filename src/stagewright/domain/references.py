"""Which outputs a workflow can still look into: those that its snapshot names."""

from __future__ import annotations

from collections.abc import Iterator

from stagewright.domain.workflow import (
    INPUT_KEY,
    ApprovalWait,
    Awaiting,
    GroupWait,
    WorkflowState,
)


def output_keys(state: WorkflowState) -> frozenset[str]:
    """Return the keys of all outputs that a decision, a task or a view may ask for.

    Outputs of visits that others followed are not among them, and stay in the store.
    """
    return frozenset(key for key in _named(state) if key)


def _named(state: WorkflowState) -> Iterator[str | None]:
    yield INPUT_KEY
    for record in state.stages.values():
        yield record.source
        yield record.output
    for wait in state.awaiting.values():
        yield from _of_wait(wait)
    for signal in state.signals:
        yield signal.payload
    if state.ending is not None:
        yield state.ending.output


def _of_wait(wait: Awaiting) -> Iterator[str | None]:
    if isinstance(wait, ApprovalWait):
        yield wait.shown
    elif isinstance(wait, GroupWait):
        for end in wait.ended.values():
            yield end.output
