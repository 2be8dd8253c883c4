"""What strangers write straight into an inbox of Redis changes no workflow, and is not lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from stagewright.domain.errors import NotFound, Refused
from stagewright.ports.dead_letters import DeadLetter
from stagewright.sync import Stagewright
from stagewright.testing.servers import RedisServer
from tests.acceptance.conftest import redis_cli
from tests.acceptance.gates import ASSEMBLY, Gates, end_of, start
from tests.processes import Place, until

Envelope = dict[str, Any]


class Inbox:
    """A workflow whose drill is at work, and a stranger who can write into its partition."""

    def __init__(self, place: Place, server: RedisServer) -> None:
        self.place, self._server = place, server
        self.gates = Gates(place)
        self.gates.shut("drill")
        place.cli("definition", "register", ASSEMBLY)
        place.start("orchestrator", "serve")
        place.start("agents", "agent", "run", ASSEMBLY)
        self.workflow_id = start(place)
        self.gates.wait_for("drill")
        self._tag = f"sw:{{{self.workflow_id.partition('-')[0]}}}"

    def result(self, stage: str = "drill", **changes: Any) -> Envelope:
        """An envelope that would be right if the stranger knew the token."""
        workflow_id = changes.pop("workflow_id", self.workflow_id)
        output = {"number": 7, "done": ["cut", "drill by hand"]}
        data = {"workflow_id": workflow_id, "stage": stage, "status": "success", "output": output}
        return {
            "specversion": "1.0",
            "id": "from-a-stranger",
            "source": "elsewhere",
            "type": "stagewright.STAGE_RESULT",
            "subject": workflow_id,
            "time": "2026-01-31T12:00:00Z",
            "stage": stage,
            "task": f"{workflow_id}/{stage}/1/1",
            "attempt": 1,
            "leasetoken": 1_000_000,
            "data": data | changes.pop("data", {}),
        } | changes

    def put(self, body: bytes) -> None:
        redis_cli(self._server, "XADD", f"{self._tag}:inbox", "*", "result", stdin=body)

    def snapshot(self) -> str:
        """All that is kept of the workflow: step, snapshot, outputs."""
        return redis_cli(self._server, "--no-raw", "HGETALL", f"{self._tag}:w:{self.workflow_id}")

    def letters(self, count: int) -> list[DeadLetter]:
        """The dead letters, newest first, once there are so many."""
        with Stagewright(self.place.url) as client:
            until(lambda: len(client.dead_letters()) >= count)
            letters: list[DeadLetter] = client.dead_letters()
            return letters


@pytest.fixture
def inbox(shared: Place, redis: RedisServer) -> Iterator[Inbox]:
    return Inbox(shared, redis)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def strange(inbox: Inbox) -> dict[str, bytes]:
    """Messages, by the reason they must be refused with."""
    elsewhere = "p00-" + "f" * 32
    deep = orjson.dumps(inbox.result()).replace(b'"drill by hand"', nested(10_000))
    return {
        r"data\.status: expected 'success' or 'failure', found int 5": orjson.dumps(
            inbox.result(data={"status": 5})
        ),
        r"attempt: expected 1, as in task, found str '1'": orjson.dumps(inbox.result(attempt="1")),
        r"type: expected one of stagewright.STAGE_RESULT": orjson.dumps(inbox.result(type="GIFT")),
        r"stage 'polish' is not in assembly": orjson.dumps(inbox.result("polish")),
        r"stale token": orjson.dumps(inbox.result()),
        r"body: Not acceptable JSON: unexpected end of data": b'{"specversion": ',
        r"envelope of 10\d{6} bytes; at most 262144 are allowed": orjson.dumps(
            inbox.result(data={"output": "x" * 10_000_000})
        ),
        r"body: The nesting of the body is 65, the limit is 64": deep,
        r"p00-f+ (is of another partition|does not exist)": orjson.dumps(
            inbox.result(workflow_id=elsewhere)
        ),
    }


def test_what_does_not_fit_changes_nothing_and_is_kept_with_its_reason(inbox: Inbox) -> None:
    before = inbox.snapshot()
    messages = strange(inbox)
    for body in messages.values():
        inbox.put(body)
    inbox.letters(len(messages))
    assert inbox.snapshot() == before
    letters = inbox.place.cli("dead-letter", "list", "--json").json[::-1]
    for letter, (reason, body) in zip(letters, messages.items(), strict=True):
        assert re.search(reason, letter["reason"]), letter["reason"]
        assert body.startswith((letter["body_text"] or "").encode()[:1_024])
    inbox.gates.open("drill")
    assert end_of(inbox.place, inbox.workflow_id)[1] == "drill"


def test_a_letter_can_be_shown_edited_redriven_and_discarded(inbox: Inbox) -> None:
    wrong = inbox.result(data={"status": "succes"})
    for body in (orjson.dumps(wrong), b"nonsense", orjson.dumps(inbox.result())):
        inbox.put(body)
    late, nonsense, letter = (found.letter_id for found in inbox.letters(3))
    cli = inbox.place.cli
    assert "data.status" in cli("dead-letter", "show", letter).out
    shown = cli("dead-letter", "show", letter, "--body").out
    assert orjson.loads(shown) == wrong
    assert "data.status" in cli("dead-letter", "redrive", letter, code=5).err
    edited = inbox.place.write("edited.json", shown.replace("succes", "success"))
    cli("dead-letter", "redrive", letter, "--body", str(edited))
    cli("dead-letter", "discard", nonsense)
    assert [found.letter_id for found in inbox.letters(1)] == [late]
    assert end_of(inbox.place, inbox.workflow_id)[:2] == ["cut", "drill by hand"]
    with Stagewright(inbox.place.url) as client:
        for gone in (letter, nonsense):
            with pytest.raises(NotFound, match=gone):
                client.redrive(gone)
        with pytest.raises(Refused, match=f"nothing waits for {inbox.workflow_id}/drill/1/1"):
            client.redrive(late)
