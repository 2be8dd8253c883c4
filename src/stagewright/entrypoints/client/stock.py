"""Definitions and dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.client.session import Session, request_of
from stagewright.ports.control import RegisterRequest
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.letter_desk import LetterAction, LetterGroups, LetterReport
from stagewright.ports.views import DefinitionView


class Definitions(Session):
    """Register and read definitions."""

    async def definitions(self, name: str | None = None) -> Sequence[DefinitionView]:
        """Return registered definitions, oldest version first."""
        return await self._call(lambda to: to.queries.definitions(name))

    async def definition(self, reference: str) -> dict[str, Any]:
        """Return a definition's JSON by `NAME`, `NAME@VERSION` or hash."""
        return await self._call(lambda to: to.queries.definition(reference))

    async def register(
        self,
        definition: Mapping[str, Any],
        *,
        contracts: Sequence[Mapping[str, Any]] = (),
        development: bool = False,
        registered: bool = False,
    ) -> DefinitionView:
        """Check and register a definition with the contracts of its agents, both as JSON.

        With `registered`, agents without one here are checked against what they registered.
        """
        given = {
            "definition": dict(definition),
            "contracts": [dict(contract) for contract in contracts],
            "development": development,
            "registered": registered,
        }
        request = request_of(RegisterRequest, given)
        return await self._call(lambda to: to.commands.register(request))


class DeadLetters(Session):
    """Deal with messages that could not be applied."""

    async def dead_letters(
        self, workflow_id: str | None = None, *, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        """Return dead letters, newest first."""
        return await self._call(lambda to: to.dead_letters.list(workflow_id, after, limit))

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        """Return one dead letter; NotFound."""
        letter = await self._call(lambda to: to.dead_letters.read(letter_id))
        if letter is None:
            raise _no_letter(letter_id)
        return letter

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        """Put a dead letter back into its inbox, edited if `body` is given."""
        await self._call(lambda to: to.commands.redrive(letter_id, body))

    async def discard(self, letter_id: str, *, by: str = "anonymous", reason: str = "") -> None:
        """Delete a dead letter; its workflow's notes keep who did so and why. NotFound."""
        await self._call(lambda to: to.letter_desk.discard(letter_id, by, reason))

    async def dead_letter_groups(self, workflow_id: str | None = None) -> LetterGroups:
        """Return dead letters by cause, the biggest group first."""
        return await self._call(lambda to: to.letter_desk.groups(workflow_id))

    async def deal_with(self, action: str, **chosen: Any) -> LetterReport:
        """Redrive or discard many: `letters` by id, or all of a `cause`; see `LetterAction`."""
        request = request_of(LetterAction, {"action": action, **chosen})
        return await self._call(lambda to: to.letter_desk.act(request))


def _no_letter(letter_id: str) -> NotFound:
    return NotFound("dead letter", letter_id, remedy="See `stagewright dead-letter list`.")
