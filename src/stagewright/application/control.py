"""The control interface over a backend: commands and queries together."""

from __future__ import annotations

from stagewright.application.access import Access, Acting, Changes
from stagewright.application.actor import Actor
from stagewright.application.bulk import Bulk
from stagewright.application.catalog import Catalog
from stagewright.application.catalogue import Catalogue
from stagewright.application.commands import Commands
from stagewright.application.details import Details
from stagewright.application.feed_streams import LiveEvents
from stagewright.application.letter_desk import LetterDesk
from stagewright.application.queries import Queries
from stagewright.application.stage_details import StageDetails
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock, IIdentifiers, IRandom


class Control:
    """What API, CLI and clients hold: `commands` change, `queries` look."""

    def __init__(
        self,
        backend: Backend,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
        catalog: Catalog | None = None,
    ) -> None:
        self.backend = backend
        self.catalog = catalog or Catalog(backend.registry, clock)
        self.commands = Commands(backend, self.catalog, clock, ids, randomness)
        self.queries = Queries(backend, self.catalog, clock)
        self.live = LiveEvents(backend, self.catalog, clock, self.queries)
        self.dead_letters = backend.dead_letters
        self.access = Access(backend, clock, ids)
        self.stage_details = StageDetails(backend, self.catalog)
        self.details = Details(backend, self.catalog)
        self.catalogue = Catalogue(backend, self.catalog, clock)
        self.letter_desk = LetterDesk(backend, self.commands, clock)
        self.bulk = Bulk(backend, self.commands, clock, ids)

    def acting(self, actor: Actor) -> Acting:
        """Return what changes things in an actor's name, and writes that down."""
        plain = Changes(self.commands, self.dead_letters, self.letter_desk, self.bulk)
        return self.access.acting(actor, plain)
