"""The client for code that is not asynchronous: `from stagewright.sync import Stagewright`."""

from __future__ import annotations

from stagewright.entrypoints.client.sync import Stagewright

__all__ = ["Stagewright"]
