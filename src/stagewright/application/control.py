"""The control interface over a backend: commands and queries together."""

from __future__ import annotations

from stagewright.application.access import Access
from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.queries import Queries
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
        self.dead_letters = backend.dead_letters
        self.access = Access(backend, clock, ids)
