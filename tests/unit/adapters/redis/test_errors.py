from __future__ import annotations

import pytest
from redis import exceptions as driver

from stagewright.adapters.http.problems import status_of
from stagewright.adapters.redis import errors
from stagewright.domain.errors import (
    ConfigurationError,
    OutcomeUnknown,
    StagewrightError,
    StoreFailed,
    StoreFull,
    Unreachable,
)


@pytest.mark.parametrize("error", [driver.ConnectionError("gone"), TimeoutError(), OSError(9, "x")])
def test_a_call_without_an_answer_has_an_unknown_outcome(error: Exception) -> None:
    found = errors.lost(error)
    assert isinstance(found, OutcomeUnknown)
    assert "unknown outcome" in str(found)


def test_a_server_that_loads_its_data_has_done_nothing() -> None:
    found = errors.lost(driver.BusyLoadingError("LOADING"))
    assert isinstance(found, Unreachable)
    assert not isinstance(found, OutcomeUnknown)


def test_who_could_not_connect_has_sent_nothing() -> None:
    found = errors.not_connected(driver.ConnectionError("refused"))
    assert isinstance(found, Unreachable)
    assert not isinstance(found, OutcomeUnknown)


@pytest.mark.parametrize("error", [driver.AuthenticationError("x"), driver.NoPermissionError("x")])
def test_a_closed_door_is_a_matter_of_configuration(error: driver.RedisError) -> None:
    assert isinstance(errors.not_connected(error), ConfigurationError)


PASSING = [
    driver.ReadOnlyError("x"),
    driver.ClusterDownError("x"),
    driver.TryAgainError("x"),
    driver.ResponseError("MISCONF x"),
    driver.ResponseError("BUSY x"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: f"{type(error).__name__} {error}")
def test_a_refusal_that_passes_says_that_nothing_was_changed(error: driver.ResponseError) -> None:
    found = errors.refused(error)
    assert isinstance(found, StoreFailed)
    assert "Nothing was changed" in str(found)


FULL = [
    driver.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    driver.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
]


@pytest.mark.parametrize("error", FULL, ids=["memory", "disk"])
def test_a_server_without_room_says_so_and_what_to_do(error: driver.ResponseError) -> None:
    found = errors.refused(error)
    assert isinstance(found, StoreFull)
    assert "no room left" in found.message
    assert "maxmemory" in found.remedy
    assert status_of(found) == 503


def test_every_other_refusal_is_shown_as_it_is() -> None:
    found: StagewrightError = errors.refused(driver.ResponseError("WRONGTYPE of key"))
    assert "WRONGTYPE of key" in str(found)
    assert "Nothing was changed" not in str(found)


def test_only_a_missing_function_may_be_called_again() -> None:
    assert errors.is_missing_function(driver.ResponseError("ERR Function not found"))
    assert not errors.is_missing_function(driver.ResponseError("ERR other"))
    assert not errors.is_missing_function([b"Function not found"])
