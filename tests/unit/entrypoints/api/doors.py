"""Doors to use cases that a test has put together itself."""

from __future__ import annotations

from typing import Any

from stagewright.application.control import Control
from stagewright.application.readiness import Readiness
from stagewright.entrypoints.api.door import Door
from stagewright.ports.system import IClock


def door_to(control: Control, clock: IClock, token: str, **given: Any) -> Door:
    parts: dict[str, Any] = {
        "details": control.details,
        "catalogue": control.catalogue,
        "letter_desk": control.letter_desk,
        "bulk": control.bulk,
        "readiness": Readiness(control.backend, clock),
        "live": control.live,
        "access": control.access,
    }
    return Door(control.commands, control.queries, control.dead_letters, token, **(parts | given))
