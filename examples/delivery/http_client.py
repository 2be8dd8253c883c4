"""One HTTP exchange at a time, with nothing but the standard library."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from pydantic import JsonValue

from examples.delivery.errors import NoAnswer

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reply:
    """What came back. `body` is parsed JSON, or text if it is none; None if there was none."""

    status: int
    headers: Mapping[str, str]
    body: JsonValue
    took_ms: float


def send(address: str, method: str, path: str, body: JsonValue | bytes = None) -> Reply:
    """Send one request to `http://host:port`; `NoAnswer` if nobody answers properly."""
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {} if content is None else {"Content-Type": "application/json"}
    where = urlsplit(address)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_S)
    started = time.perf_counter()
    try:
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        received = response.read()
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"{method} {address}{path}: {error!r}") from error
    finally:
        connection.close()
    took_ms = (time.perf_counter() - started) * 1000
    return Reply(response.status, dict(response.headers), _parsed(received), took_ms)


def _parsed(received: bytes) -> JsonValue:
    if not received:
        return None
    try:
        parsed: JsonValue = json.loads(received)
    except ValueError:
        return received.decode(errors="replace")
    return parsed
