"""The kit for tests: of workflows (`run`, `crash_everywhere`), of adapters, of whole systems."""

from __future__ import annotations

from stagewright.testing.everywhere import Survived, crash_everywhere
from stagewright.testing.running import run
from stagewright.testing.trial import Flow, Waits

__all__ = ["Flow", "Survived", "Waits", "crash_everywhere", "run"]
