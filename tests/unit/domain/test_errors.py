from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator

import pytest

from stagewright.domain import errors
from stagewright.domain.errors import StagewrightError, first_line, listing

EXAMPLES: list[tuple[StagewrightError, int, str]] = [
    (errors.StagewrightError(), 1, "Something went wrong inside Stagewright."),
    (
        errors.WorkflowFailed("p01-a", "failed", "it broke", stage="build"),
        1,
        ("Workflow p01-a failed in stage build: it broke. See `stagewright workflow show p01-a`."),
    ),
    (
        errors.ConfigurationError("port", "'x' is no number.", remedy="Give one."),
        2,
        "port: 'x' is no number. Give one.",
    ),
    (errors.NotFound("workflow", "x"), 3, "No workflow 'x'."),
    (errors.NotFound("agent", "x", known=["b", "a"]), 3, "No agent 'x'. Known: a, b."),
    (errors.NotFound("agent", "x", known=[]), 3, "No agent 'x'. Known: nothing."),
    (
        errors.CursorExpired("5-1", oldest="7-0"),
        3,
        "The cursor points before the oldest entry that is kept. Read again without a cursor.",
    ),
    (errors.Conflict(), 4, first_line(errors.Conflict)),
    (errors.Refused("it is paused.", subject="p01-a"), 4, "p01-a: it is paused."),
    (errors.AlreadyDecided("ann approved it."), 4, "ann approved it."),
    (
        errors.ValidationFailed(problems=["a: x", "b: y"]),
        5,
        "A value does not have the shape that was agreed: a: x; b: y",
    ),
    (
        errors.LimitExceeded("The envelope", found=9, limit=5),
        5,
        "The envelope is 9, the limit is 5.",
    ),
    (errors.Unreachable("The server", "refused"), 6, "The server does not answer: refused."),
    (
        errors.OutcomeUnknown("The server"),
        6,
        "The server does not answer. Reload and compare before trying again.",
    ),
    (
        errors.LoadError("flow.py", "it is empty.", remedy="Fill it."),
        5,
        "flow.py: it is empty. Fill it.",
    ),
    (errors.TimedOut("Waiting", after_s=1.5), 7, "Waiting timed out after 1.5 s."),
]


def tree(kind: type[StagewrightError] = StagewrightError) -> Iterator[type[StagewrightError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


@pytest.mark.parametrize(("error", "exit_code", "text"), EXAMPLES)
def test_an_error_says_what_was_found_and_what_to_do(
    error: StagewrightError, exit_code: int, text: str
) -> None:
    assert (error.exit_code, str(error)) == (exit_code, text)


@pytest.mark.parametrize("error", [error for error, _, _ in EXAMPLES])
def test_an_error_crosses_processes_whole(error: StagewrightError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_every_error_has_a_message_of_its_own() -> None:
    messages = [first_line(kind) for kind in tree()]
    assert all(message.endswith(".") for message in messages)
    assert len(set(messages)) == len(messages)


def test_every_error_of_the_module_is_in_the_tree() -> None:
    found = {kind for _, kind in inspect.getmembers(errors, inspect.isclass)}
    raised = {kind for kind in found if issubclass(kind, Exception)}
    assert raised <= set(tree())


def test_a_long_list_of_names_is_cut() -> None:
    assert listing("cba") == "a, b, c"
    assert listing("cba", limit=2) == "a, b and 1 more"
    assert listing([], nothing="none") == "none"


def test_a_definition_error_lists_its_problems() -> None:
    problem = errors.Problem("build", "It is wrong.", "Mend it.", "stages.0")
    error = errors.DefinitionError("flow", [problem, errors.Problem(None, "No.", "Yes.")])
    assert str(error).splitlines() == [
        "Definition flow: 2 problem(s)",
        "- stage build: It is wrong. Mend it. (at stages.0)",
        "- No. Yes.",
    ]
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_reason_that_ends_its_own_sentence_gets_no_second_full_stop() -> None:
    assert errors.Unreachable("Redis", "Connect call failed.").message == (
        "Redis does not answer: Connect call failed."
    )
