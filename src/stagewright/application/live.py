"""Workflows in memory: decoded once, guarded by their step id, the least recently used let go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from stagewright.application.catalog import Catalog, Compiled
from stagewright.domain.effects import InFlight, in_flight
from stagewright.domain.errors import NotFound, Refused
from stagewright.domain.ids import partition_of
from stagewright.domain.outputs import Outputs
from stagewright.domain.references import output_keys
from stagewright.domain.snapshot import SnapshotUnreadable, decode_state
from stagewright.domain.workflow import WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.workflow_store import IWorkflowStore, Stored

HELD_FOR_MS = 60_000
"""By the workflows' own time. Reading a workflow again costs less than holding it for nothing."""
FEW = 4


@dataclass(slots=True)
class Live:
    """A workflow as last seen, with its outputs and its compiled definition."""

    state: WorkflowState
    outputs: Outputs
    compiled: Compiled
    flight: InFlight
    """What the state calls for: half of the next step's difference."""


class LiveWorkflows:
    """A bounded cache. A stale entry costs a conflict, as long as something is committed on it."""

    def __init__(
        self, store: IWorkflowStore, catalog: Catalog, limit: int = 20_000, *, whole: bool = False
    ) -> None:
        self._store = store
        self._outputs_of = None if whole else _referred
        """Which outputs are loaded where there are many: all only for who shows the past."""
        self._catalog = catalog
        self._limit = limit
        self._held: OrderedDict[str, Live] = OrderedDict()
        self.unreadable: dict[str, str] = {}
        """Workflows of the newest `get` that exist but cannot be read, and why."""
        self.fresh: set[str] = set()
        """Workflows of the newest `get` that were loaded by it, and so are not stale."""

    async def get(self, workflow_ids: Sequence[str]) -> dict[str, Live]:
        """Return those of the workflows that exist, loading in one call what is not held.

        One that cannot be read is left out, so that it does not stop the others.
        """
        self.unreadable.clear()
        self.fresh.clear()
        missing = [id_ for id_ in workflow_ids if id_ not in self._held]
        found = {id_: self._held[id_] for id_ in workflow_ids if id_ in self._held}
        for stored in await self._store.load(missing, self._outputs_of) if missing else ():
            if isinstance(stored, Stored):
                try:
                    found[stored.workflow_id] = await self._decode(stored)
                    self.fresh.add(stored.workflow_id)
                except (NotFound, SnapshotUnreadable) as error:
                    self.unreadable[stored.workflow_id] = f"workflow cannot be read: {error}"
        return found

    async def _decode(self, stored: Stored) -> Live:
        state = decode_state(stored.snapshot)
        compiled = await self._catalog.compiled(state.definition)
        live = Live(state, Outputs(stored.outputs), compiled, in_flight(state))
        self.keep(live)
        return live

    def keep(self, live: Live) -> None:
        """Remember a workflow's newest state; a finished one is let go."""
        id_ = live.state.workflow_id
        if live.state.status.terminal:
            self._held.pop(id_, None)
            return
        self._held[id_] = live
        self._held.move_to_end(id_)
        if len(self._held) > self._limit:
            self._held.popitem(last=False)
        self._let_go(live.state.updated_at_ms - HELD_FOR_MS)

    def _let_go(self, before_ms: int) -> None:
        """Let go of what did not move for a while: others may have ended it long ago."""
        for _ in range(FEW):
            if next(iter(self._held.values())).state.updated_at_ms >= before_ms:
                return
            self._held.popitem(last=False)

    def drop(self, workflow_id: str) -> None:
        """Forget what is held: it was found to be stale."""
        self._held.pop(workflow_id, None)

    def clear(self) -> None:
        """Forget everything: the store lost something."""
        self._held.clear()


def _referred(snapshot: bytes) -> frozenset[str]:
    """Return the outputs that a workflow with many of them can still look into."""
    try:
        return output_keys(decode_state(snapshot))
    except SnapshotUnreadable:
        return frozenset()  # who decodes it next says so


async def load_one(backend: Backend, catalog: Catalog, workflow_id: str) -> Live | None:
    """Return one workflow from the store, None when there is none; Refused when unreadable."""
    try:
        if partition_of(workflow_id) >= backend.partitions:
            return None
    except ValueError:
        return None
    lives = LiveWorkflows(backend.store, catalog, whole=True)
    found = (await lives.get([workflow_id])).get(workflow_id)
    if lives.unreadable:
        raise Refused(lives.unreadable[workflow_id], subject=workflow_id)
    return found
