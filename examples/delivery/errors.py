"""What can go wrong in a delivery. `retryable` says whether another attempt may help."""

from __future__ import annotations

from collections.abc import Sequence


class DeliveryError(Exception):
    """A delivery could not go on."""

    retryable = True


class RequestUnreadable(DeliveryError):
    """A request file has the wrong shape. `problems` hold one line per wrong field."""

    retryable = False

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(f"{source} is not a delivery request: {'; '.join(self.problems)}")


class RequestRefused(DeliveryError):
    """A request is well formed but cannot be delivered. `problems` start with the field."""

    retryable = False

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the request cannot be delivered: {'; '.join(self.problems)}")


class MergeConflict(DeliveryError):
    """Somebody else changed the same files since this delivery began. `files` names them."""

    retryable = False

    def __init__(self, branch: str, files: Sequence[str]) -> None:
        self.branch = branch
        self.files = tuple(files)
        super().__init__(
            f"{branch} conflicts with main in {', '.join(self.files)}; "
            "start the request again to build it on what main holds now"
        )


class MergeBroken(DeliveryError):
    """The branch merges without a conflict, but what comes out fails its checks."""

    retryable = False

    def __init__(self, branch: str, problems: Sequence[str]) -> None:
        self.branch = branch
        self.problems = tuple(problems)
        super().__init__(f"{branch} merged with main is broken: {'; '.join(self.problems)}")


class RolledBack(DeliveryError):
    """A release was not healthy; the previous one (if any) serves again."""

    retryable = False

    def __init__(self, release: int, reason: str, serving: int | None) -> None:
        self.release = release
        self.reason = reason
        self.serving = serving
        now = "nothing serves" if serving is None else f"release {serving} serves again"
        super().__init__(f"release {release} is not healthy: {reason}; rolled back, {now}")


class ServiceNotStarted(DeliveryError):
    """A service did not come up. `log` holds the end of what it wrote."""

    def __init__(self, reason: str, log: str) -> None:
        self.reason = reason
        self.log = log
        super().__init__(f"the service did not start: {reason}; its log ends with: {log or '-'}")


class NoAnswer(DeliveryError):
    """A service did not answer an HTTP request."""


class ToolFailed(DeliveryError):
    """A tool of the pipeline (git, ruff, coverage, pytest) could not do its work."""

    def __init__(self, tool: str, reason: str) -> None:
        self.tool = tool
        self.reason = reason
        super().__init__(f"{tool} failed: {reason}")


class DeliveryCancelled(DeliveryError):
    """The workflow was cancelled while the agent worked."""

    retryable = False
