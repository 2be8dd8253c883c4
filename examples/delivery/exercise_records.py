"""Checks of a resource over HTTP: the round trip of a record, its rules, search and restart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import quote

from pydantic import JsonValue

from examples.delivery.exercise import Probe
from examples.delivery.request import Resource
from examples.delivery.samples import Record, changed_record, valid_record, violations

Stored = Mapping[str, JsonValue]
NOWHERE = 10**9
WORD = re.compile(r"\w{3,}")


def exercise_resource(probe: Probe, resource: Resource) -> Stored | None:
    """Check every operation and rule; returns a record that is left in place, if one could be."""
    stored = _store(probe, resource, valid_record(resource))
    if stored is None:
        return None
    _expect_there(probe, resource, stored)
    _exercise_rules(probe, resource)
    if "update" in resource.operations:
        stored = _replace(probe, resource, stored)
    other = _store(probe, resource, valid_record(resource))
    if other is not None and "list" in resource.operations:
        _expect_listed(probe, resource, [stored, other])
    if other is not None and "delete" in resource.operations:
        _remove(probe, resource, other, kept=stored)
    if resource.search:
        _exercise_search(probe, resource)
    return stored


def recall(probe: Probe, resource: Resource, stored: Stored) -> None:
    """Check that a record of an earlier run of the service is still there, and its id taken."""
    _expect_there(probe, resource, stored)
    another = _store(probe, resource, valid_record(resource))
    if another is not None:
        where = f"POST /{resource.name}"
        probe.check("lost", where, expected=True, found=another["id"] != stored["id"])


def _store(probe: Probe, resource: Resource, record: Record) -> Stored | None:
    path = f"/{resource.name}"
    reply = probe.expect("POST", path, record, status=201)
    if reply is None:
        return None
    body = reply.body
    if not isinstance(body, dict) or not isinstance(body.get("id"), int):
        probe.complain("body", f"POST {path}", f"expected the record with its id, found {body!r}")
        return None
    complete = {field.name: record.get(field.name, field.default) for field in resource.fields}
    complete["id"] = body["id"]
    return body if probe.check("body", f"POST {path}", expected=complete, found=body) else None


def _expect_there(probe: Probe, resource: Resource, stored: Stored) -> None:
    path = f"/{resource.name}/{stored['id']}"
    if "read" in resource.operations:
        reply = probe.ask("GET", path)
        if reply is not None:
            found = reply.body if reply.status == HTTPStatus.OK else None
            probe.check("lost", f"GET {path}", expected=stored, found=found)
        probe.expect("GET", f"/{resource.name}/{NOWHERE}", status=404)
    elif "list" in resource.operations:
        _expect_listed(probe, resource, [stored])


def _expect_listed(probe: Probe, resource: Resource, records: list[Stored]) -> None:
    items = _items(probe, f"/{resource.name}")
    for record in records:
        found = [item for item in items if item == record]
        probe.check("lost", f"GET /{resource.name}", expected=[record], found=found)


def _items(probe: Probe, path: str) -> list[JsonValue]:
    reply = probe.expect("GET", path, status=200)
    if reply is None or not isinstance(reply.body, dict):
        return []
    items = reply.body.get("items")
    return items if isinstance(items, list) else []


def _replace(probe: Probe, resource: Resource, stored: Stored) -> Stored:
    changed = changed_record(resource)
    path = f"/{resource.name}/{stored['id']}"
    reply = probe.expect("PUT", path, changed, status=200)
    if reply is None:
        return stored
    values = {field.name: changed.get(field.name, field.default) for field in resource.fields}
    replaced = values | {"id": stored["id"]}
    probe.check("body", f"PUT {path}", expected=replaced, found=reply.body)
    _expect_there(probe, resource, replaced)
    probe.expect("PUT", f"/{resource.name}/{NOWHERE}", changed, status=404)
    return replaced


def _remove(probe: Probe, resource: Resource, record: Stored, *, kept: Stored) -> None:
    path = f"/{resource.name}/{record['id']}"
    probe.expect("DELETE", path, status=204)
    probe.expect("DELETE", path, status=404)
    if "read" in resource.operations:
        probe.expect("GET", path, status=404)
    _expect_there(probe, resource, kept)


def _exercise_rules(probe: Probe, resource: Resource) -> None:
    """Every record that breaks a rule is refused, and the answer names the field."""
    path = f"/{resource.name}"
    for violation in violations(resource):
        reply = probe.ask("POST", path, violation.record)
        if reply is None:
            continue
        where = f"POST {path} with {violation.field} {violation.label.replace('_', ' ')}"
        errors = reply.body.get("errors") if isinstance(reply.body, dict) else None
        named = sorted(errors) if isinstance(errors, dict) else []
        found = (reply.status, named)
        probe.check("rule", where, expected=(422, [violation.field]), found=found)
    probe.expect("POST", path, valid_record(resource) | {"no_such_field": 1}, status=422)
    probe.expect("POST", path, b"{", status=400)


def _exercise_search(probe: Probe, resource: Resource) -> None:
    """Each example is found by its words, and only the records that contain them are."""
    examples = [dict(each) for each in resource.examples] or [valid_record(resource)]
    for record in examples:
        stored = _store(probe, resource, record)
        if stored is not None:
            for words in _words(record, resource, ignore_case=probe.expected.search_ignores_case):
                _search(probe, resource, words, stored)
    for nonsense in ("no such words", "%", "_"):
        _search(probe, resource, nonsense)


def _search(probe: Probe, resource: Resource, words: str, stored: Stored | None = None) -> None:
    """Search for `words`: `stored` is among what is found, and nothing without the words is."""
    found = _items(probe, f"/{resource.name}?search={quote(words)}")
    where = f"GET /{resource.name}?search={words}"
    if stored is not None:
        probe.checks += 1
        if stored not in found:
            probe.complain("search-missed", where, f"does not find {stored}")
    excess = [item for item in found if not _contains(resource, item, words)]
    probe.check("search-excess", where, expected=[], found=excess)


def _words(record: Record, resource: Resource, *, ignore_case: bool) -> Iterator[str]:
    for name in resource.search:
        text = str(record.get(name) or "")
        for word in sorted(sorted(set(WORD.findall(text))), key=len)[-2:]:
            yield word
            if ignore_case:
                yield from (v for v in (word.lower(), word.upper()) if _same_but_case(v, word))


def _same_but_case(variant: str, word: str) -> bool:
    # Not so for a few letters, such as the Turkish dotless i.
    return variant != word and variant.casefold() == word.casefold()


def _contains(resource: Resource, record: JsonValue, words: str) -> bool:
    if not isinstance(record, dict):
        return False
    texts = (str(record.get(name) or "") for name in resource.search)
    return any(words.casefold() in text.casefold() for text in texts)
