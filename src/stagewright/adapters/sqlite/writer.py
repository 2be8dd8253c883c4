"""The one thread that writes, with group commit.

Requests that arrive while a transaction runs are applied together in the next one, each inside a
savepoint, so that one that fails spares the others. A request is answered only after COMMIT has
returned: with `synchronous=FULL` its changes are then on the disk.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from stagewright.adapters.sqlite import failures
from stagewright.adapters.sqlite.connection import Session
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.domain.errors import StoreFailed, StoreFull
from stagewright.ports.system import IClock

GROUP_LIMIT = 256

T = TypeVar("T")
Work = Callable[[Transaction], T]


@dataclass(frozen=True, slots=True)
class _Request:
    work: Work[Any]
    lasting: bool
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


class Writer:
    """Runs work on the writing connection. Belongs to the event loop that made it."""

    def __init__(self, session: Session, partitions: int, clock: IClock) -> None:
        self._session, self._transaction = session, Transaction(session, partitions)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Request | None] = SimpleQueue()
        self._ended = self._loop.create_future()
        self._closing, self._lasting = False, True
        self.groups = 0
        """Transactions so far."""
        self.failure: Exception | None = None
        """Why the newest transaction that wrote could not be committed, None when it was."""
        self.full: tuple[StoreFull, float] | None = None
        """The newest refusal for want of space, and when that was (monotonic, in seconds)."""
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T], *, lasting: bool = True) -> T:
        """Run work in the next transaction; return its result once that is committed.

        What the work raises is raised here, and then the work changed nothing. When the
        transaction cannot be committed, all its requests raise StoreFailed or OutcomeUnknown.
        Work that need not be `lasting` survives the kill of the process; a failure of the whole
        machine may take it back, with all that came after it up to the next lasting one.
        """
        if self._closing:
            raise StoreFailed(self._session.path, "it was closed", remedy="Open it again.")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put(_Request(work, lasting, answer))
        return await answer

    async def close(self) -> None:
        """Finish what was asked for and end the thread; also when cancelled meanwhile."""
        self._closing = True
        self._waiting.put(None)
        try:
            await asyncio.shield(self._ended)
        finally:
            self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            group, ending = self._next_group()
            if group:
                self._commit(group)
        self._tell(self._ended.set_result, None)

    def _next_group(self) -> tuple[list[_Request], bool]:
        """Wait for a request; return it with all that came meanwhile, and whether to end."""
        group: list[_Request] = []
        request = self._waiting.get()
        while request is not None:
            group.append(request)
            if len(group) == GROUP_LIMIT:
                return group, False
            try:
                request = self._waiting.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Request]) -> None:
        db, changed = self._session.db, self._session.db.total_changes()
        self._transaction.effects = []
        try:
            self._sync(lasting=any(request.lasting for request in group))
            db.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(request) for request in group]
            self._end(db)
            failure: Exception | None = None
        except Exception as error:  # noqa: BLE001  # the thread must live, and every caller be told
            failure = self._told(error)
            with suppress(apsw.Error):
                db.execute("ROLLBACK")
            outcomes = [_Failure(copy(failure)) for _ in group]
            self._transaction.effects = []
        if failure is not None or db.total_changes() != changed:
            self.failure = failure or _store_failure(outcomes)
            if isinstance(self.failure, StoreFull):
                self.full = self.failure, self._clock.monotonic_s()
        self.groups += 1
        self._tell(_deliver, self._transaction.effects, group, outcomes)

    def _sync(self, *, lasting: bool) -> None:
        """Choose whether the next COMMIT waits for the disk."""
        if lasting != self._lasting:
            self._session.db.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
            self._lasting = lasting

    def _end(self, db: apsw.Connection) -> None:
        give_back = self._transaction.reserve_numbers()
        try:
            db.execute("COMMIT")
        except apsw.Error as error:
            give_back()
            raise failures.of_commit(error, self._session.path) from error

    def _told(self, error: Exception) -> Exception:
        path = self._session.path
        return failures.translated(error, path) if isinstance(error, apsw.Error) else error

    def _apply(self, request: _Request) -> Any:
        """Run one request's work; a failure is its outcome, unless it ended the transaction."""
        transaction, db = self._transaction, self._session.db
        effects = len(transaction.effects)
        db.execute("SAVEPOINT request")
        outcome: Any
        try:
            outcome = request.work(transaction)
        except Exception as error:
            if not db.in_transaction:
                raise
            db.execute("ROLLBACK TO request")
            del transaction.effects[effects:]
            outcome = _Failure(error)
        db.execute("RELEASE request")
        return outcome

    def _tell(self, call: Callable[..., object], *values: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody is left to be told
            self._loop.call_soon_threadsafe(call, *values)


def _store_failure(outcomes: list[Any]) -> Exception | None:
    """Return a failure of the file that only some requests of a group met."""
    errors = (outcome.error for outcome in outcomes if isinstance(outcome, _Failure))
    return next((error for error in errors if isinstance(error, StoreFailed)), None)


def _deliver(
    effects: list[tuple[Callable[..., None], tuple[Any, ...]]],
    group: list[_Request],
    outcomes: list[Any],
) -> None:
    try:
        for effect, values in effects:
            effect(*values)
    finally:
        for request, outcome in zip(group, outcomes, strict=True):
            _answer(request.answer, outcome)


def _answer(answer: asyncio.Future[Any], outcome: Any) -> None:
    if answer.done():  # whoever asked was cancelled
        return
    if isinstance(outcome, _Failure):
        answer.set_exception(outcome.error)
    else:
        answer.set_result(outcome)
