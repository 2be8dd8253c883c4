"""What waits for people: each approval with what is shown, to whom, and who has decided already."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.live import Live, LiveWorkflows
from stagewright.domain.commands import ANYONE, GROUP
from stagewright.domain.definition import ApprovalStage
from stagewright.domain.workflow import ApprovalWait
from stagewright.ports.backend import Backend
from stagewright.ports.details import ApprovalPage, ApprovalQuery, ApprovalView, VoteView
from stagewright.ports.workflow_store import Query


async def approvals(backend: Backend, catalog: Catalog, query: ApprovalQuery) -> ApprovalPage:
    """Return a page of approvals; CursorInvalid.

    A page may hold few of them, even none, and still go on: it is cut by workflows, not by people.
    """
    page = await backend.store.query(
        Query(
            waiting="approval",
            definition=query.definition,
            oldest_first=query.oldest_first,
            cursor=query.cursor,
            limit=query.limit,
            bare=True,
        )
    )
    ids = [row.workflow_id for row in page.rows]
    lives = await LiveWorkflows(backend.store, catalog).get(ids)
    found = [
        view
        for workflow_id in ids
        if workflow_id in lives
        for view in _of(lives[workflow_id])
        if query.by is None or _decides(view, query)
    ]
    return ApprovalPage(approvals=found, cursor=page.cursor)


def _decides(view: ApprovalView, query: ApprovalQuery) -> bool:
    """Whether this person may decide, and has not."""
    groups = {group if group.startswith(GROUP) else f"{GROUP}{group}" for group in query.groups}
    allowed = not {ANYONE, query.by, *groups}.isdisjoint(view.approvers)
    return allowed and all(vote.by != query.by for vote in view.decided)


def _of(live: Live) -> Iterator[ApprovalView]:
    for stage, wait in sorted(live.state.awaiting.items()):
        if isinstance(wait, ApprovalWait) and len(wait.votes) < wait.required:
            yield _view(live, stage, wait)


def _view(live: Live, stage: str, wait: ApprovalWait) -> ApprovalView:
    state, found = live.state, live.compiled.plan.stages[stage].stage
    return ApprovalView(
        workflow_id=state.workflow_id,
        name=state.name,
        version=state.version,
        title=state.title,
        stage=stage,
        visit=wait.visit,
        description=found.description,
        since_ms=wait.since_ms,
        deadline_at_ms=wait.at_ms,
        approvers=list(wait.approvers),
        required=wait.required,
        decided=[
            VoteView(decision=v.decision, by=v.by, at_ms=v.at_ms, comment=v.comment, data=v.data)
            for v in wait.votes
        ],
        missing=wait.required - len(wait.votes),
        form=found.form if isinstance(found, ApprovalStage) else None,
        shown=orjson.loads(live.outputs.raw(wait.shown)),
        shown_key=wait.shown,
        shown_hash=wait.shown_hash,
        paused=state.paused is not None,
    )
