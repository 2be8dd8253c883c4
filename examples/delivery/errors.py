"""What can go wrong in a delivery. Those that are `final` are not worth another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stagewright import AgentError


class DeliveryError(AgentError):
    """A delivery could not go on."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(type(self).__name__, message, **details)


class RequestUnreadable(DeliveryError):
    """A request file has the wrong shape. `problems` hold one line per wrong field."""

    final = True
    exit_code = 5

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        message = f"{source} is not a delivery request: {'; '.join(self.problems)}"
        super().__init__(message, problems=list(problems))


class RequestRefused(DeliveryError):
    """A request is well formed but cannot be delivered. `problems` start with the field."""

    final = True

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        message = f"the request cannot be delivered: {'; '.join(self.problems)}"
        super().__init__(message, problems=list(problems))


class MergeConflict(DeliveryError):
    """Somebody else changed the same files since this delivery began. `files` names them."""

    final = True

    def __init__(self, branch: str, files: Sequence[str]) -> None:
        self.files = tuple(files)
        message = (
            f"{branch} conflicts with main in {', '.join(self.files)}; "
            "start the request again to build it on what main holds now"
        )
        super().__init__(message, branch=branch, files=list(files))


class MergeBroken(DeliveryError):
    """The branch merges without a conflict, but what comes out fails its checks."""

    final = True

    def __init__(self, branch: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        message = f"{branch} merged with main is broken: {'; '.join(self.problems)}"
        super().__init__(message, branch=branch, problems=list(problems))


class RolledBack(DeliveryError):
    """A release was not healthy. `serving` is the release that serves again, if any."""

    final = True

    def __init__(self, release: int, reason: str, serving: int | None) -> None:
        self.release = release
        self.serving = serving
        now = "nothing serves" if serving is None else f"release {serving} serves again"
        message = f"release {release} is not healthy: {reason}; rolled back, {now}"
        super().__init__(message, release=release, serving=serving)


class ServiceNotStarted(DeliveryError):
    """A service did not come up. `log` holds the end of what it wrote."""

    def __init__(self, reason: str, log: str) -> None:
        self.log = log
        super().__init__(f"the service did not start: {reason}; its log ends with: {log or '-'}")


class NoAnswer(DeliveryError):
    """A service did not answer an HTTP request as a service should."""


class ToolFailed(DeliveryError):
    """A tool of the pipeline (git, ruff, coverage, pytest) could not do its work."""

    def __init__(self, tool: str, reason: str) -> None:
        super().__init__(f"{tool} failed: {reason}", tool=tool)


class DeliveryCancelled(DeliveryError):
    """The workflow was cancelled while the agent worked."""

    final = True
