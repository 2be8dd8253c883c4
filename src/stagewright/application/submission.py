"""Decides a command on the newest state and commits it, as often as that takes."""

from __future__ import annotations

from stagewright.application.catalog import Catalog, Compiled
from stagewright.application.committer import Committer
from stagewright.application.live import Live, load_one
from stagewright.application.refusals import answer_of
from stagewright.application.stepper import Stepper, supply
from stagewright.application.withdrawal import tell_agents
from stagewright.domain import messages as m
from stagewright.domain.errors import Conflict, WorkflowNotFound
from stagewright.domain.outputs import OutputMissing, Outputs
from stagewright.domain.workflow import Answer
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Verdict
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.workflow_store import Tombstone

ROUNDS = 50
"""So often a command is decided again because the workflow moved meanwhile."""


class Submission:
    """What all commands share: the answer leaves after the commit."""

    def __init__(
        self,
        backend: Backend,
        catalog: Catalog,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
    ) -> None:
        self._backend = backend
        self._catalog = catalog
        self._clock = clock
        self._ids = ids
        self._random = randomness
        self._committer = Committer(backend.store, clock)

    async def load(self, workflow_id: str) -> Live:
        """Return a workflow; NotFound."""
        live = await load_one(self._backend, self._catalog, workflow_id)
        if live is None:
            raise WorkflowNotFound(workflow_id)
        return live

    async def start(self, workflow_id: str, compiled: Compiled, message: m.Start) -> Answer:
        """Create a workflow, or learn that it was created before; raises what a no stands for."""
        live: Live | None = None
        for _ in range(ROUNDS):
            stepper = await self._decided(workflow_id, compiled, live, message, "command Start")
            if await self._took_effect(stepper):
                return answer_of(stepper.answer, workflow_id)
            (found,) = await self._backend.store.load([workflow_id])
            if isinstance(found, Tombstone):
                return _of_forgotten(found, message)
            live = await load_one(self._backend, self._catalog, workflow_id)
        raise Conflict(f"{workflow_id} kept moving", remedy="Start it again with the same key.")

    async def tell(self, live: Live, message: m.Message, cause: str) -> Answer | None:
        """Apply a message to a workflow; the answer of a command, None of anything else."""
        workflow_id = live.state.workflow_id
        for _ in range(ROUNDS):
            stepper = await self._decided(workflow_id, live.compiled, live, message, cause)
            if await self._took_effect(stepper):
                return stepper.answer
            live = await self.load(workflow_id)
        raise Conflict(f"{workflow_id} kept moving", remedy="Send the command again.")

    async def _took_effect(self, stepper: Stepper) -> bool:
        """Commit what was decided; False when the workflow moved, so that it must be redecided."""
        if not stepper.changed:
            return True
        commit = stepper.commit()
        if await self._committer.commit(commit) is not Verdict.COMMITTED:
            return False
        await tell_agents(self._backend.bus, [commit], self._clock.now_ms())
        return True

    async def _decided(
        self,
        workflow_id: str,
        compiled: Compiled,
        live: Live | None,
        message: m.Message,
        cause: str,
    ) -> Stepper:
        fetched = Outputs()
        while True:
            stepper = Stepper(workflow_id, compiled, live, self._ids, self._random)
            if live is None:  # what a start was found to need is not fetched again
                stepper.outputs = fetched
            try:
                stepper.apply(message, cause, self._clock.now_ms())
                if stepper.changed:
                    stepper.commit()
            except OutputMissing as missing:
                await supply(self._backend.blobs, workflow_id, stepper.outputs, missing)
            else:
                return stepper


def _of_forgotten(found: Tombstone, message: m.Start) -> Answer:
    """The same body gets the same answer also after the workflow is gone."""
    if found.body_hash == message.body_hash:
        return Answer(message.command_id, ok=True, code="repeated")
    raise Conflict(
        f"key {message.key!r} was used with another body",
        remedy="Use another key, or send the body that was sent first.",
    )
