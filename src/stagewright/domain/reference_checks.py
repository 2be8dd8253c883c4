"""Checks of references: can they be read, do they lead somewhere, may they be null."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from stagewright.domain.definition import AgentStage, ApprovalStage, Stage, WaitStage
from stagewright.domain.errors import Problem, ReferenceInvalid, listing
from stagewright.domain.known_schemas import root_schema
from stagewright.domain.schemas import accepts_null, at_path, missing_field
from stagewright.domain.subject import Check, Subject
from stagewright.domain.suggestions import closest
from stagewright.domain.wiring import Reference, leaves, parse_reference


@dataclass(frozen=True, slots=True)
class Use:
    """A reference as it stands in a stage; `place` is where inside the stage."""

    stage: Stage
    keyword: str
    inner: str
    reference: Reference

    @property
    def place(self) -> str:
        """Keys and indexes inside the stage, with dots."""
        return f"{self.keyword}.{self.inner}" if self.inner else self.keyword


def _templates(stage: Stage) -> Iterator[tuple[str, object]]:
    if isinstance(stage, AgentStage):
        yield "with", stage.with_
    elif isinstance(stage, ApprovalStage):
        yield "show", stage.show
    elif isinstance(stage, WaitStage):
        yield "until", stage.until


def _uses(subject: Subject) -> Iterator[Use]:
    """All references that can be read; those that cannot are `broken_references`."""
    for stage in subject.stages.values():
        yield from uses_of(stage)


def uses_of(stage: Stage) -> Iterator[Use]:
    """The references of one stage, as far as they can be read."""
    for keyword, template in _templates(stage):
        try:
            found = list(leaves(template))
        except ReferenceInvalid:
            continue
        for inner, text in found:
            with suppress(ReferenceInvalid):
                yield Use(stage, keyword, inner, parse_reference(text))


def broken_references(subject: Subject) -> Iterator[Problem]:
    """References that cannot be read."""
    for stage in subject.stages.values():
        for keyword, template in _templates(stage):
            try:
                yield from _broken(subject, stage, keyword, template)
            except ReferenceInvalid as error:
                yield subject.problem(stage.name, error.message, error.remedy, keyword)


def _broken(subject: Subject, stage: Stage, keyword: str, template: object) -> Iterator[Problem]:
    for inner, text in leaves(template):
        try:
            parse_reference(text)
        except ReferenceInvalid as error:
            place = f"{keyword}.{inner}" if inner else keyword
            yield subject.problem(stage.name, error.message, error.remedy, place)


def unknown_references(subject: Subject) -> Iterator[Problem]:
    """References to stages that do not exist or lie inside another branch."""
    for use in _uses(subject):
        source = use.reference.stage
        if source is None or _visible(subject, use.stage.name, source):
            continue
        found, remedy = _unseen(subject, use.stage.name, source)
        message = f"Reference {str(use.reference)!r} names stage {source!r}, which {found}"
        yield subject.problem(use.stage.name, message, remedy, use.place)


def _visible(subject: Subject, reader: str, source: str) -> bool:
    """A stage sees the stages of its own part and of the parts around it."""
    seen = [subject.homes[name].stages for name in subject.enclosing(reader)]
    return any(source in stages for stages in seen)


def _unseen(subject: Subject, reader: str, source: str) -> tuple[str, str]:
    """Why the reader does not see the source, and the remedy."""
    if source in subject.stages:
        region = subject.homes[source].region
        remedy = f"Read the group: stages.{region.group}.output.{region.branch}.output."
        return "is inside another branch.", remedy
    known = {name for seen in subject.enclosing(reader) for name in subject.homes[seen].stages}
    return f"does not exist. Known: {listing(known)}.", closest(source, known)


def missing_fields(subject: Subject) -> Iterator[Problem]:
    """References to fields that the source is known not to have."""
    for use in _uses(subject):
        root = root_schema(subject, use.reference)
        found = None if root is None else missing_field(root, use.reference.path)
        if found is not None:
            name, known = found
            what = f"Reference {str(use.reference)!r} reads {name!r}, which is not there."
            message = f"{what} There are: {listing(known)}."
            yield subject.problem(use.stage.name, message, "Read one of these.", use.place)


def maybe_unfilled(subject: Subject) -> Iterator[Problem]:
    """References that may be null where null is not accepted."""
    for use in _uses(subject):
        reader = _reader(subject, use)
        if reader is None or _takes_null(subject, use):
            continue
        source = str(use.reference.stage)
        if reader in subject.homes[source].maybe_unfilled(source, use.reference.root):
            message = f"Reference {str(use.reference)!r} is null when {source!r} was not visited"
            failed = ", or gave nothing" if use.reference.root == "output" else ""
            remedy = f"Let its agent accept null there, or route every path through {source!r}."
            yield subject.problem(use.stage.name, f"{message}{failed}.", remedy, use.place)


def _reader(subject: Subject, use: Use) -> str | None:
    """The stage or group beside the source that is entered before the reference is read."""
    source = use.reference.stage
    if source is None or not _visible(subject, use.stage.name, source):
        return None
    beside = subject.homes[source].stages
    return next(name for name in subject.enclosing(use.stage.name) if name in beside)


def _takes_null(subject: Subject, use: Use) -> bool:
    """Unknown contracts are given the benefit of the doubt; an instant can never be null."""
    if use.keyword == "until":
        return False
    contract = subject.contract(use.stage)
    if contract is None:
        return True
    return accepts_null(at_path(contract.input, tuple(use.inner.split(".")) if use.inner else ()))


REFERENCE_CHECKS: tuple[Check, ...] = (
    broken_references,
    unknown_references,
    missing_fields,
    maybe_unfilled,
)
