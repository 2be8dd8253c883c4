"""Outcome rules: CEL conditions, checked when loaded and bounded when run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stagewright.domain.definition import Rule
from stagewright.domain.errors import RuleFailed, RuleInvalid, listing

if TYPE_CHECKING:
    import cel

__all__ = ["NAMES", "CompiledRule", "RuleFailed", "compile_rule", "first_outcome"]

NAMES = frozenset({"output", "input", "visit"})
"""What a rule may speak of, beside the variables of its own comprehensions."""

MAX_LENGTH = 1_000
MAX_NESTING = 16
"""Brackets inside brackets."""
MAX_LOOPS = 2
"""Comprehensions inside comprehensions: each level multiplies the work by the length of a list."""

_CONVERSIONS = frozenset(
    {"int", "uint", "double", "string", "bytes", "dyn", "type", "timestamp", "duration"}
)
_TEXT = frozenset({"size", "matches", "contains", "startsWith", "endsWith", "has"})
_DATE_PARTS = ("FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "DayOfYear")
_TIME_PARTS = ("Hours", "Minutes", "Seconds", "Milliseconds")
FUNCTIONS = _CONVERSIONS | _TEXT | {f"get{part}" for part in (*_DATE_PARTS, *_TIME_PARTS)}
"""The functions that exist when a rule runs."""

TYPES = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type"})
"""The names of types, for comparison with type(...)."""

_LOOPS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_LITERALS = frozenset({"true", "false", "null", "in"})
_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | //[^\n]* )
  | (?P<text> [bBrR]{0,2} (?: \"{3}.*?\"{3} | '{3}.*?'{3} )
        | (?: [rR][bB]? | [bB][rR] ) (?: "[^"\n]*" | '[^'\n]*' )
        | [bB]? (?: "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ) )
  | (?P<number> \d [\w.]* )
  | (?P<name> [A-Za-z_]\w* )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that compiled, with the names it reads (converting values is what costs)."""

    rule: Rule
    program: cel.Program
    names: frozenset[str]


@cache
def _cel() -> ModuleType:
    """The library brings a terminal interface along, and most commands meet no rule."""
    import cel  # noqa: PLC0415 - as said

    return cel


def compile_rule(rule: Rule) -> CompiledRule:
    """Compile and check one rule; raises RuleInvalid with what is known and the remedy."""
    text = rule.when
    if len(text) > MAX_LENGTH:
        raise _invalid(text, f"it has {len(text)} characters, at most {MAX_LENGTH} are allowed.")
    free = _free_names(text)
    try:
        program = _cel().compile(text)
    except ValueError as error:
        raise _invalid(text, _syntax(error)) from error
    _check_functions(text, program.functions())
    _check_names(text, free - TYPES - NAMES)
    return CompiledRule(rule, program, free & NAMES)


def first_outcome(
    rules: Sequence[CompiledRule],
    output: Any,
    input: Any,  # noqa: A002 - its name in rules
    visit: int,
) -> str | None:
    """The outcome of the first rule that holds, None when none does; raises RuleFailed."""
    if not rules:
        return None
    used = frozenset[str]().union(*(compiled.names for compiled in rules))
    given = {"output": output, "input": input, "visit": visit}
    try:
        context = _cel().Context(variables={name: given[name] for name in sorted(used)})
    except Exception as error:
        raise RuleFailed(rules[0].rule.when, _short(error)) from error
    return next((c.rule.outcome for c in rules if _holds(c, context)), None)


def _holds(compiled: CompiledRule, context: cel.Context) -> bool:
    try:
        verdict = compiled.program.execute(context)
    except KeyError as error:
        raise RuleFailed(compiled.rule.when, f"there is no field {error}.") from error
    except Exception as error:  # the library raises a dozen built-in kinds
        raise RuleFailed(compiled.rule.when, _short(error)) from error
    if not isinstance(verdict, bool):
        reason = f"it gives {type(verdict).__name__}, not true or false."
        raise RuleFailed(compiled.rule.when, reason)
    return verdict


def _check_functions(text: str, functions: Iterable[str]) -> None:
    """Operators are listed too, under names like `_+_`; only named functions matter."""
    unknown = [f for f in functions if _IDENTIFIER.fullmatch(f) and f not in FUNCTIONS]
    if unknown:
        raise _invalid(
            text,
            f"unknown function {listing(unknown)}.",
            remedy=f"Known functions: {listing(FUNCTIONS, limit=len(FUNCTIONS))}.",
        )


def _check_names(text: str, unknown: frozenset[str]) -> None:
    if unknown:
        raise _invalid(
            text, f"unknown name {listing(unknown)}.", remedy=f"Known names: {listing(NAMES)}."
        )


@dataclass(slots=True)
class _Frame:
    """One open bracket; `bound` is the variable of the comprehension it belongs to."""

    loop: bool
    bound: str | None = None


def _free_names(text: str) -> frozenset[str]:
    """Names that no comprehension around them binds; raises RuleInvalid beyond the bounds."""
    stack: list[_Frame] = []
    free: set[str] = set()
    tokens = list(_tokens(text))
    for index, (kind, word) in enumerate(tokens):
        before = tokens[index - 1][1] if index else ""
        after = tokens[index + 1][1] if index + 1 < len(tokens) else ""
        if kind == "open":
            stack.append(_frame(tokens[:index], word, tokens[index + 1 :]))
            _check_bounds(text, stack)
        elif kind == "close":
            del stack[-1:]
        elif kind == "name" and before != "." and after != "(":
            free.update(_unbound(word, stack))
    return frozenset(free)


def _unbound(word: str, stack: list[_Frame]) -> tuple[str, ...]:
    if word in _LITERALS or any(frame.bound == word for frame in stack):
        return ()
    return (word,)


def _frame(before: list[tuple[str, str]], bracket: str, after: list[tuple[str, str]]) -> _Frame:
    """Recognise `.map(x, ...)`: a dot, a loop's name, a bracket, a variable and a comma."""
    words = [word for _, word in before[-2:]]
    loop = bracket == "(" and len(words) == len(".m") and words[0] == "." and words[1] in _LOOPS
    named = loop and [word for _, word in after[1:2]] == [","] and after[0][0] == "name"
    return _Frame(loop, after[0][1] if named else None)


def _check_bounds(text: str, stack: list[_Frame]) -> None:
    if len(stack) > MAX_NESTING:
        raise _invalid(text, f"it is nested deeper than {MAX_NESTING} levels.")
    if sum(frame.loop for frame in stack) > MAX_LOOPS:
        raise _invalid(text, f"more than {MAX_LOOPS} comprehensions stand inside each other.")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "skip":
            yield match.lastgroup or "", match.group()


_PLACE = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


def _syntax(error: ValueError) -> str:
    """Where the parser stopped and why, without its list of all the tokens it knows."""
    found = _PLACE.search(str(error))
    if not found:
        return _short(error)
    reason = found[3].partition(" expecting {")[0]
    return f"line {found[1]}, column {found[2]}: {reason}."


def _short(error: BaseException) -> str:
    """The first sentence or line of the library's message."""
    line = str(error).strip().partition("\n")[0]
    return line.partition(". ")[0].rstrip(".") + "."


_SIMPLER = "Decide in the agent and let it declare an outcome, or split the rule."


def _invalid(text: str, message: str, *, remedy: str = _SIMPLER) -> RuleInvalid:
    return RuleInvalid(
        text if len(text) <= MAX_LENGTH else text[:60] + "...", message, remedy=remedy
    )
