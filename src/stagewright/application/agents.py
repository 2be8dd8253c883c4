"""Agents: the functions that do a stage's work, with the contract their types promise."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from pydantic import ValidationError

from stagewright.application.agent_shapes import Shape, shape_of
from stagewright.domain.builder import Stageable
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import ConfigurationError, StagewrightError
from stagewright.domain.spelling import Ref

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AgentError(StagewrightError):
    """The agent could not do its work.

    `type` is what `retry.not_on` and readers of the log know the error by; further keyword
    arguments travel with it and must be JSON.
    """

    final = False

    def __init__(self, type_: str, message: str = "", **details: Any) -> None:
        self.type, self.details = type_, details
        super().__init__(message or type_)


class Fatal(AgentError):
    """The agent could not do its work, and trying again would not help."""

    final = True

    def __init__(self, message: str, *, type_: str = "Fatal", **details: Any) -> None:
        super().__init__(type_, message, **details)


@dataclass(frozen=True, slots=True)
class Labelled(Generic[T]):
    """A value returned together with the outcome it stands for."""

    label: str
    value: T


def outcome(label: str, value: T) -> Labelled[T]:
    """Return `value` as the output and end the stage with `label` instead of `ok`.

    A bad verdict is such a label (`outcome("rework", review)`), not an exception.
    """
    return Labelled(label, value)


class Agent(Stageable, Generic[P, R]):
    """A function with a contract. Called, it is the plain function; in a workflow, a stage."""

    def __init__(
        self,
        function: Callable[P, R],
        contract: Contract,
        shapes: tuple[Shape, Shape],
        *,
        takes_context: bool,
    ) -> None:
        self.function = function
        self.contract = contract
        self.takes, self.gives = shapes
        self.takes_context = takes_context
        self.is_async = _is_async(function)
        """Whether it runs on the event loop; else it gets a thread."""
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the plain function: nothing is checked, nothing is queued."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<agent {self.name} {self.version}>"

    @property
    def name(self) -> str:
        """What stages ask for."""
        return self.contract.name

    @property
    def version(self) -> str:
        """Semantic version of the contract."""
        return self.contract.version

    @property
    def output(self) -> Ref:
        """The newest output of the stage named like the agent, for `with_=` of others."""
        return self.on().output


def agent(
    name: str, *, version: str = "1.0.0", outcomes: Iterable[str] = ()
) -> Callable[[Callable[P, R]], Agent[P, R]]:
    """Make an agent of `f(task)` or `f(task, ctx)`, asynchronous or not.

    The contract comes from the annotation of the first parameter and of what is returned. What is
    not annotated is any JSON value. `outcomes` are the labels that it may end a stage with. Raise
    ConfigurationError for what cannot be an agent.
    """
    local_names = sys._getframe(1).f_locals  # noqa: SLF001  # types of a function's own scope

    def decorate(function: Callable[P, R]) -> Agent[P, R]:
        parameters = _parameters(function, name)
        read = functools.partial(_annotation, function, local_names, name)
        given = shape_of(read(parameters[0].name), "input", name)
        returned = shape_of(_unlabelled(read("return")), "output", name)
        contract = contract_of(
            name,
            version=version,
            outcomes=outcomes,
            shapes=(given, returned),
            description=inspect.getdoc(function),
        )
        return Agent(function, contract, (given, returned), takes_context=len(parameters) > 1)

    return decorate


def contract_of(
    name: str,
    *,
    version: str,
    outcomes: Iterable[str],
    shapes: tuple[Shape, Shape],
    description: str | None,
) -> Contract:
    """Return the contract; ConfigurationError names the agent and the field that is wrong."""
    try:
        return Contract(
            name=name,
            version=version,
            description=(description or "").partition("\n")[0],
            input=shapes[0].schema,
            output=shapes[1].schema,
            outcomes=tuple(outcomes),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"agent {name}", f"{field}: {first['msg']}.") from None


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise ConfigurationError(
            f"agent {name}",
            "it is a generator.",
            remedy="Return one result; stream with ctx.delta.",
        )
    parameters = list(inspect.signature(function).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    most = 2
    if not 0 < len(parameters) <= most or any(p.kind not in positional for p in parameters):
        raise ConfigurationError(
            f"agent {name}",
            f"its signature is {inspect.signature(function)}.",
            remedy="Expected f(task) or f(task, ctx).",
        )
    return parameters


def _annotation(
    function: Callable[..., Any], local_names: dict[str, Any], agent: str, name: str
) -> Any:
    """Resolve one annotation; the context's may be known to type checkers only."""
    plain = inspect.unwrap(function)
    written = getattr(plain, "__annotations__", {})
    if name not in written:
        return Any
    only = types.SimpleNamespace(__annotations__={name: written[name]})
    try:
        hints = typing.get_type_hints(
            only, getattr(plain, "__globals__", {}), local_names, include_extras=True
        )
    except NameError as error:
        raise ConfigurationError(
            f"agent {agent}",
            f"the annotation of {name!r} names {error.name!r}, which is not known.",
            remedy="Import it at run time, above the agent.",
        ) from None
    return hints[name]


def _unlabelled(annotation: Any) -> Any:
    """Look through `Labelled[X]`, alone or in a union: the contract is about X."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Labelled:
        return Any
    if origin is Labelled:
        return arguments[0]
    if origin in (types.UnionType, typing.Union):
        members = tuple(dict.fromkeys(_unlabelled(member) for member in arguments))
        return typing.Union[members]  # noqa: UP007  # built at run time
    return annotation


def _is_async(function: Callable[..., Any]) -> bool:
    plain = inspect.unwrap(function)
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(
        getattr(plain, "__call__", None)  # noqa: B004  # an object may be called asynchronously
    )
