from __future__ import annotations

import io
from typing import Literal

import orjson
import pytest
import structlog

from stagewright.entrypoints.logging import configure_logging, quiet_unless_configured, redact


def written(stream: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_what_was_bound() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    structlog.get_logger().bind(workflow_id="p01-1").info("claimed", stage="build")
    (line,) = written(stream)
    assert (line["event"], line["workflow_id"], line["stage"]) == ("claimed", "p01-1", "build")
    assert (line["level"], str(line["timestamp"])[-1]) == ("info", "Z")


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logging("warning", "json", stream)
    structlog.get_logger().info("quiet")
    assert not stream.getvalue()


def test_auto_is_json_where_nobody_reads() -> None:
    stream = io.StringIO()
    configure_logging("info", "auto", stream)
    structlog.get_logger().info("seen")
    assert written(stream)[0]["event"] == "seen"


def test_a_traceback_tells_no_local_values() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    hidden = "correct horse"
    try:
        int(hidden[:0])
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError" in stream.getvalue()
    assert hidden not in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    ["password", "db_password", "token", "access_token", "Authorization", "api_key", "secret"],
)
def test_what_names_a_secret_is_blotted_out_at_any_depth(key: str) -> None:
    event = redact(None, "info", {"event": "x", "given": [{key: "correct horse"}], key: "horse"})
    assert "horse" not in repr(event)


def test_a_fencing_token_and_token_counts_are_no_secrets() -> None:
    event = {"event": "claimed", "token": 7, "input_tokens": 12}
    assert redact(None, "info", dict(event)) == event


def test_the_password_of_a_url_is_blotted_out() -> None:
    event = redact(None, "info", {"event": "redis://ann:horse@host:1/0 is away"})
    assert event["event"] == "redis://ann:***@host:1/0 is away"


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_lines_of_both_forms_are_redacted(form: Literal["pretty", "json"]) -> None:
    stream = io.StringIO()
    configure_logging("info", form, stream)
    structlog.get_logger().info("opened", url="redis://:horse@host")
    assert "opened" in stream.getvalue()
    assert "horse" not in stream.getvalue()


def test_an_unconfigured_program_hears_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    quiet_unless_configured()
    structlog.get_logger().info("chatter")
    structlog.get_logger().warning("trouble")
    shown = capsys.readouterr()
    assert "trouble" in shown.err
    assert "chatter" not in shown.err + shown.out


def test_what_a_program_configured_is_left_alone() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    quiet_unless_configured()
    structlog.get_logger().info("seen")
    assert written(stream)[0]["event"] == "seen"
