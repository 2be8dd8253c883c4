"""What the driver raises, in the words of the domain. No driver error leaves the adapter."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from stagewright.domain.errors import (
    ConfigurationError,
    OutcomeUnknown,
    StagewrightError,
    StoreFailed,
    StoreFull,
    Unreachable,
)

SERVER = "Redis"

DRIVER = (RedisError, OSError, TimeoutError, EOFError)
"""All that the driver raises when a connection is lost or cannot be made."""

_NOT_NOW = (
    ReadOnlyError,
    MasterDownError,
    ClusterDownError,
    TryAgainError,
)
_NO_ROOM_SAID = "No space left on device"
MAKE_ROOM = "Give it more memory (`maxmemory`) or disk; work goes on by itself."
_NOT_NOW_SAID = ("BUSY", "MISCONF", "NOREPLICAS")
"""The server refused before it did anything, for a reason that passes or that people can mend."""


def not_connected(error: BaseException) -> StagewrightError:
    """Translate what kept us from connecting: nothing was sent."""
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return _not_allowed(error)
    return Unreachable(SERVER, _reason(error), remedy="See that it runs and that the URL names it.")


def lost(error: BaseException) -> StagewrightError:
    """Translate a call that was sent and whose answer is not known."""
    if isinstance(error, BusyLoadingError):
        return Unreachable(SERVER, "it is loading its data", remedy="Try again in a moment.")
    return OutcomeUnknown(SERVER, f"unknown outcome: {_reason(error)}")


def refused(error: ResponseError) -> StagewrightError:
    """Translate an answer that is an error."""
    text = str(error)
    if isinstance(error, NoPermissionError):
        return _not_allowed(error)
    if no_room(error):
        remedy = f"Nothing was applied. {MAKE_ROOM}"
        return StoreFull(SERVER, f"it has no room left ({text})", remedy=remedy)
    if passes(error):
        return StoreFailed(SERVER, text, remedy="Nothing was changed; try again when it is mended.")
    return StoreFailed(SERVER, f"refused a call: {text}", remedy="Look at what it says, and retry.")


def no_room(error: ResponseError) -> bool:
    """Whether the server refused for want of memory or disk."""
    return isinstance(error, OutOfMemoryError) or _NO_ROOM_SAID in str(error)


def passes(error: ResponseError) -> bool:
    """Whether the server refused for a reason that passes or that people can mend."""
    return isinstance(error, _NOT_NOW) or str(error).startswith(_NOT_NOW_SAID)


def partly(error: Exception, refused: int, calls: int) -> StagewrightError:
    """Translate a refusal of some of several calls: the others may have changed something."""
    return OutcomeUnknown(SERVER, f"it refused {refused} of {calls} calls: {error}")


def is_missing_function(reply: object) -> bool:
    """Whether a reply says that our library is not loaded: nothing was done."""
    return isinstance(reply, ResponseError) and "Function not found" in str(reply)


def _not_allowed(error: BaseException) -> ConfigurationError:
    return ConfigurationError(
        "url", f"Redis does not let us in: {error}", remedy="Check user, password and permissions."
    )


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
