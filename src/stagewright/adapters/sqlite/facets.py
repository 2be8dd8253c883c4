"""What a workflow has many of and can be found by: labels and kinds of waiting, as text."""

from __future__ import annotations

import orjson

from stagewright.ports.commit import IndexEntry


def label_facet(name: str, value: str) -> str:
    """Return the facet of a label; no two labels share one."""
    return orjson.dumps((name, value)).decode()


def waiting_facet(kind: str) -> str:
    """Return the facet of a kind of waiting; it is no label's."""
    return f"waiting:{kind}"


def facets_of(index: IndexEntry) -> str:
    """Return a JSON array of an index entry's facets, each once."""
    labels = (label_facet(name, value) for name, value in index.labels.items())
    return orjson.dumps(list(dict.fromkeys((*labels, *map(waiting_facet, index.waiting))))).decode()
