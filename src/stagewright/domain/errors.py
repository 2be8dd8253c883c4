"""The one error tree.

A class's docstring is its default message. Every error carries typed attributes, a `remedy` (what
to do next) and the exit code a command line ends with.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from stagewright.domain.places import At, pointer


class StagewrightError(Exception):
    """Something went wrong inside Stagewright."""

    exit_code: ClassVar[int] = 1
    """0 ok, 1 workflow failed, 2 usage, 3 not found, 4 conflict or already decided, 5 validation,
    6 unreachable, 7 timed out, 8 not allowed."""

    def __init__(self, message: str | None = None, *, remedy: str = "") -> None:
        self.message = message or first_line(type(self))
        self.remedy = remedy
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), dict(self.__dict__))


def _restore(kind: type[StagewrightError], attributes: dict[str, Any]) -> StagewrightError:
    error = kind.__new__(kind)
    error.__dict__.update(attributes)
    error.args = (attributes.get("message", ""),)
    return error


def first_line(kind: type) -> str:
    """The first line of a class's docstring: the default message of an error."""
    return inspect.cleandoc(kind.__doc__ or kind.__name__).partition("\n")[0]


def slug(kind: type) -> str:
    """Return the name of a class as it stands in problem types: `not-found` for NotFound."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def listing(names: Iterable[str], *, nothing: str = "nothing", limit: int = 12) -> str:
    """Names for a message: sorted, comma separated, cut after `limit`."""
    known = sorted(names)
    if not known:
        return nothing
    rest = len(known) - limit
    return ", ".join(known[:limit]) + (f" and {rest} more" if rest > 0 else "")


# --- a workflow's own end -----------------------------------------------------------------------


class WorkflowFailed(StagewrightError):
    """The workflow ended without completing."""

    exit_code = 1

    def __init__(
        self, workflow_id: str, status: str, reason: str = "", *, stage: str | None = None
    ) -> None:
        self.workflow_id, self.status, self.reason, self.stage = workflow_id, status, reason, stage
        where = f" in stage {stage}" if stage else ""
        why = f": {reason}" if reason else ""
        super().__init__(
            f"Workflow {workflow_id} {status}{where}{why}.",
            remedy=f"See `stagewright workflow show {workflow_id}`.",
        )


# --- usage --------------------------------------------------------------------------------------


class UsageError(StagewrightError):
    """The request cannot be understood."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting has a value that cannot be used."""

    def __init__(self, setting: str, message: str, *, remedy: str = "") -> None:
        self.setting = setting
        super().__init__(f"{setting}: {message}", remedy=remedy)


# --- not found ----------------------------------------------------------------------------------


class NotFound(StagewrightError):
    """What was asked for does not exist."""

    exit_code = 3

    def __init__(
        self, kind: str, name: str, *, known: Iterable[str] | None = None, remedy: str = ""
    ) -> None:
        self.kind, self.name = kind, name
        self.known = None if known is None else tuple(sorted(known))
        message = f"No {kind} {name!r}."
        if self.known is not None:
            message += f" Known: {listing(self.known)}."
        super().__init__(message, remedy=remedy)


class WorkflowNotFound(NotFound):
    """No workflow has this id here."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(
            "workflow",
            workflow_id,
            remedy="See `stagewright workflow list`, and `stagewright config show` for where "
            "workflows are looked for.",
        )


class CursorExpired(NotFound):
    """The cursor points before the oldest entry that is kept."""

    def __init__(self, cursor: str, *, oldest: str | None = None) -> None:
        super().__init__("entry at cursor", cursor, remedy="Read again without a cursor.")
        self.cursor, self.oldest = cursor, oldest
        self.message = first_line(CursorExpired)
        self.args = (self.message,)


# --- permission ---------------------------------------------------------------------------------


class Forbidden(StagewrightError):
    """Whoever asks may not do this."""

    exit_code = 8

    def __init__(self, principal: str, scope: str, *, remedy: str = "") -> None:
        self.principal, self.scope = principal, scope
        super().__init__(
            f"{principal} lacks the scope {scope!r}.",
            remedy=remedy or f"Use an API key with the scope {scope!r}.",
        )


class Unauthorized(StagewrightError):
    """A key is needed, and this is none that is in force."""

    exit_code = 8

    def __init__(self, message: str | None = None, *, remedy: str = "") -> None:
        super().__init__(
            message,
            remedy=remedy
            or "Send a key as `Authorization: Bearer KEY`, on the command line by "
            "STAGEWRIGHT_TOKEN; `stagewright key create` makes one.",
        )


class ForeignRequest(StagewrightError):
    """The request comes from elsewhere, or under a name that this server does not answer to."""

    exit_code = 8


# --- conflicts ----------------------------------------------------------------------------------


class Conflict(StagewrightError):
    """The state changed in the meantime, or is already decided otherwise."""

    exit_code = 4


class Refused(Conflict):
    """The command does not apply to the state it met."""

    def __init__(self, reason: str, *, subject: str = "", remedy: str = "") -> None:
        self.reason, self.subject = reason, subject
        super().__init__(f"{subject}: {reason}" if subject else reason, remedy=remedy)


class AlreadyDecided(Refused):
    """The decision was made before."""


class OwnedElsewhere(Conflict):
    """Another process owns the file."""

    __slots__ = ("_token",)  # outside `__dict__`, so that no report of this error shows it

    def __init__(
        self,
        path: str,
        *,
        pid: int | None = None,
        address: str | None = None,
        token: str | None = None,
    ) -> None:
        self.path, self.pid, self.address = path, pid, address
        self._token = token
        owner = "another process" if pid is None else f"process {pid}"
        door = "which has not opened its door" if address is None else f"at {address}"
        super().__init__(
            f"{path} is owned by {owner}, {door}.",
            remedy="Use its address, or end that process.",
        )

    @property
    def token(self) -> str | None:
        """What opens the owner's door. Never leaves this process: not shown, sent or pickled."""
        return getattr(self, "_token", None)


# --- validation ---------------------------------------------------------------------------------


class ValidationFailed(StagewrightError):
    """A value does not have the shape that was agreed."""

    exit_code = 5

    def __init__(
        self, message: str | None = None, *, problems: Sequence[str] = (), remedy: str = ""
    ) -> None:
        self.problems = tuple(problems)
        text = message or first_line(type(self))
        if self.problems:
            text = f"{text.rstrip('.')}: {'; '.join(self.problems)}"
        super().__init__(text, remedy=remedy)


class EnvelopeInvalid(ValidationFailed):
    """What arrived is not a valid message."""


class ReferenceInvalid(ValidationFailed):
    """The reference cannot be understood."""

    def __init__(self, reference: str, message: str, *, remedy: str = "") -> None:
        self.reference = reference
        super().__init__(f"Reference {reference!r}: {message}", remedy=remedy)


class CursorInvalid(ValidationFailed):
    """The cursor is not one that was handed out."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        super().__init__(
            f"Cursor {cursor!r} is not one that was handed out.",
            remedy="Read again without a cursor.",
        )


class RuleInvalid(ValidationFailed):
    """The rule does not compile or uses what it may not use."""

    def __init__(self, rule: str, message: str, *, remedy: str = "") -> None:
        self.rule = rule
        super().__init__(f"Rule {rule!r}: {message}", remedy=remedy)


class RuleFailed(ValidationFailed):
    """The rule failed on the values it met."""

    def __init__(self, rule: str, reason: str) -> None:
        self.rule, self.reason = rule, reason
        super().__init__(
            f"Rule {rule!r} failed: {reason}",
            remedy="Guard the access with has(...) or check the type before comparing.",
        )


class LimitExceeded(ValidationFailed):
    """A bound on size, depth or number was exceeded."""

    def __init__(self, what: str, *, found: int, limit: int, remedy: str = "") -> None:
        self.what, self.found, self.limit = what, found, limit
        super().__init__(f"{what} is {found}, the limit is {limit}.", remedy=remedy)


class TooOften(LimitExceeded):
    """Something was asked for more often than is allowed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition.

    `path` is where: keys and indexes from the root of the definition, joined by dots; or file and
    line. `stage` is None for problems of the definition as a whole.
    """

    stage: str | None
    message: str
    remedy: str
    path: str = ""

    def __str__(self) -> str:
        who = f"stage {self.stage}: " if self.stage else ""
        where = f" (at {self.path})" if self.path else ""
        return f"{who}{self.message} {self.remedy}{where}"


class DefinitionError(ValidationFailed):
    """The definition cannot be used."""

    def __init__(self, name: str, found: Sequence[Problem]) -> None:
        self.name, self.found = name, tuple(found)
        super().__init__(f"Definition {name}: {len(self.found)} problem(s)")
        self.problems = tuple(At(str(p), pointer(filter(None, p.path.split(".")))) for p in found)

    def __str__(self) -> str:
        return "\n".join((self.message, *(f"- {problem}" for problem in self.problems)))


class LoadError(ValidationFailed):
    """The target could not be loaded."""

    def __init__(self, target: str, message: str, *, remedy: str = "") -> None:
        self.target = target
        super().__init__(f"{target}: {message}", remedy=remedy)


# --- the world outside --------------------------------------------------------------------------


class Unreachable(StagewrightError):
    """A server or store does not answer."""

    exit_code = 6

    def __init__(self, what: str, reason: str = "", *, remedy: str = "") -> None:
        self.what, self.reason = what, reason
        why = f": {reason.rstrip('.')}" if reason else ""
        super().__init__(f"{what} does not answer{why}.", remedy=remedy)


class OutcomeUnknown(Unreachable):
    """A call was lost after it was sent, so it may have been executed."""

    def __init__(self, what: str, reason: str = "") -> None:
        super().__init__(what, reason, remedy="Reload and compare before trying again.")


class StoreFailed(Unreachable):
    """The store's file cannot be read or written."""

    def __init__(self, what: str, reason: str, *, remedy: str = "") -> None:
        super().__init__(what, reason, remedy=remedy)
        self.message = f"{what}: {reason.rstrip('.')}."
        self.args = (self.message,)


class StoreFull(StoreFailed):
    """The store has no room for anything new.

    Nothing of the call was applied. What the store holds is safe and can be read.
    """


class TimedOut(StagewrightError):
    """The time allowed for waiting is over."""

    exit_code = 7

    def __init__(self, what: str, *, after_s: float | None = None, remedy: str = "") -> None:
        self.what, self.after_s = what, after_s
        limit = f" after {after_s:g} s" if after_s is not None else ""
        super().__init__(f"{what} timed out{limit}.", remedy=remedy)
