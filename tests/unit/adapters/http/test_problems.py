"""Every error of the tree survives the wire."""

from __future__ import annotations

import pickle

import orjson
import pytest

from stagewright.adapters.http import problems
from stagewright.domain import errors as e

SAMPLES: list[e.StagewrightError] = [
    e.StagewrightError("odd", remedy="Look."),
    e.WorkflowFailed("p01-1", "failed", "no", stage="build"),
    e.UsageError("what"),
    e.ConfigurationError("url", "is odd", remedy="Mend it."),
    e.NotFound("workflow", "p01-1", known=["p01-2"]),
    e.CursorExpired("c", oldest="d"),
    e.CursorInvalid("c"),
    e.Conflict(),
    e.Refused("too late", subject="p01-1"),
    e.AlreadyDecided("decided"),
    e.OwnedElsewhere("state.db", pid=3, address="http://127.0.0.1:1"),
    e.ValidationFailed("bad", problems=["a: no", "b: no"]),
    e.EnvelopeInvalid(problems=["stage: missing"]),
    e.ReferenceInvalid("stages.x", "unknown"),
    e.RuleInvalid("x >", "ends early"),
    e.RuleFailed("x.y", "no y"),
    e.LimitExceeded("depth", found=65, limit=64),
    e.TooOften("sessions", found=61, limit=60),
    e.Unauthorized(),
    e.Forbidden("ann", "operate"),
    e.ForeignRequest("from elsewhere"),
    e.DefinitionError("release", [e.Problem("build", "unreachable", "Route to it.", "stages.1")]),
    e.LoadError("hello.py", "empty"),
    e.Unreachable("redis", "refused"),
    e.OutcomeUnknown("redis", "reset"),
    e.StoreFailed("state.db", "the disk is full"),
    e.TimedOut("waiting", after_s=3.0),
]


def bare(kind: type[e.StagewrightError]) -> e.StagewrightError:
    """Return an error of a class that is younger than this file."""
    error = kind.__new__(kind)
    error.__dict__.update(message="odd", remedy="Look.", number=3, text="x", names=("a", "b"))
    error.args = ("odd",)
    return error


KNOWN = {type(sample) for sample in SAMPLES}
YOUNGER = [
    bare(kind)
    for kind in problems.every_error()
    if kind.__module__ == e.__name__ and kind not in KNOWN
]


@pytest.mark.parametrize("error", [*SAMPLES, *YOUNGER], ids=lambda x: type(x).__name__)
def test_an_error_comes_back_as_itself(error: e.StagewrightError) -> None:
    back = problems.error_of(orjson.loads(problems.encode_problem(error)))
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert str(back) == str(error)


def test_a_place_travels_with_what_is_wrong_there() -> None:
    error = e.ValidationFailed("bad", problems=[e.At.field(["labels", "a/b"], "too long"), "odd"])
    document = orjson.loads(problems.encode_problem(error))
    assert document["problems"] == [
        {"pointer": "/labels/a~1b", "message": "labels.a/b: too long"},
        {"pointer": "", "message": "odd"},
    ]
    back = problems.error_of(document)
    assert [getattr(one, "pointer", "") for one in vars(back)["problems"]] == ["/labels/a~1b", ""]
    assert pickle.loads(pickle.dumps(error)).problems[0].pointer == "/labels/a~1b"


def test_a_document_has_what_the_standard_asks_for() -> None:
    document = problems.problem_of(e.Refused("too late", remedy="Start again."))
    assert document["type"] == "urn:stagewright:error:refused"
    assert (document["status"], document["detail"]) == (409, "too late")
    assert document["title"] == "The command does not apply to the state it met"
    assert document["remedy"] == "Start again."


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, e.NotFound), (422, e.ValidationFailed), (502, e.Unreachable), (418, e.StagewrightError)],
)
def test_an_answer_of_somebody_else_becomes_what_its_status_means(
    status: int, kind: type[e.StagewrightError]
) -> None:
    assert type(problems.error_of({"title": "Oh"}, status)) is kind


@pytest.mark.parametrize(
    ("error", "status"), [(e.CursorExpired("c"), 410), (e.TimedOut("x"), 504), (e.Conflict(), 409)]
)
def test_the_status_fits_the_error(error: e.StagewrightError, status: int) -> None:
    assert problems.status_of(error) == status


def test_what_others_hung_on_an_error_does_not_travel() -> None:
    error = e.NotFound("workflow", "w")
    error.__dict__["__library_note__"] = object()
    assert set(problems.problem_of(error)["attributes"]) == {"kind", "name", "known"}
