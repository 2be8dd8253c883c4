"""The asynchronous client."""

from __future__ import annotations

from stagewright.entrypoints.client.access import AccessControl
from stagewright.entrypoints.client.bulk import BulkActions
from stagewright.entrypoints.client.commands import WorkflowCommands
from stagewright.entrypoints.client.details import Details
from stagewright.entrypoints.client.live import Live
from stagewright.entrypoints.client.queries import WorkflowQueries
from stagewright.entrypoints.client.stock import DeadLetters, Definitions


class Stagewright(
    WorkflowCommands,
    WorkflowQueries,
    Details,
    BulkActions,
    Live,
    Definitions,
    DeadLetters,
    AccessControl,
):
    """A client. Use it as `async with Stagewright(url) as sw`.

    `url` is `sqlite:///PATH`, `redis://...` or the `http://` address of a running server (with its
    `token`); without one, the settings of the working directory decide. All methods raise errors
    of `StagewrightError`: NotFound, Conflict and Refused, ValidationFailed, Unreachable, TimedOut.
    """
