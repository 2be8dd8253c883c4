"""Bugs in the backend on SQLite."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_SQLITE = (
    Planted(
        "commits without looking at the step it rests on (SQLite)",
        "adapters/sqlite/sql/update_workflow.sql",
        "WHERE workflow_id = ?1 AND step_id = ?2",
        "WHERE workflow_id = ?1",
        "contracts-sqlite",
    ),
    Planted(
        "completes a task whatever the token (SQLite)",
        "adapters/sqlite/sql/finish_task.sql",
        "WHERE task_id = ?1 AND token = ?2 AND",
        "WHERE task_id = ?1 AND ?2 > 0 AND",
        "contracts-sqlite",
    ),
    Planted(
        "queues new tasks of a paused workflow (SQLite)",
        "adapters/sqlite/step.py",
        '"suspended" if suspended else "queued",',
        '"queued",',
        "contracts-sqlite",
    ),
    Planted(
        "writes the snapshot but not the log (SQLite)",
        "adapters/sqlite/step.py",
        '        ("insert_record", rows.records),\n',
        "",
        "contracts-sqlite",
    ),
    Planted(
        "answers before COMMIT (SQLite)",
        "adapters/sqlite/writer.py",
        "            self._end(db)\n",
        "            self._tell(_deliver, self._transaction.effects, group, outcomes)\n"
        "            self._end(db)\n",
        "contracts-sqlite",
    ),
    Planted(
        "does not wait for the disk (SQLite)",
        "adapters/sqlite/writer.py",
        "{'FULL' if lasting else 'NORMAL'}",
        "NORMAL",
        "contracts-sqlite",
    ),
    Planted(
        "lets one claim take the durability of all who share its transaction (SQLite)",
        "adapters/sqlite/writer.py",
        "any(request.lasting for request in group)",
        "all(request.lasting for request in group)",
        "contracts-sqlite",
    ),
    Planted(
        "keeps half of a request that failed (SQLite)",
        "adapters/sqlite/writer.py",
        '            db.execute("ROLLBACK TO request")\n',
        "",
        "contracts-sqlite",
    ),
    Planted(
        "overwrites dead letters (SQLite)",
        "adapters/sqlite/sql/insert_letter.sql",
        "ON CONFLICT DO NOTHING",
        "ON CONFLICT DO UPDATE SET reason = excluded.reason, body = excluded.body",
        "contracts-sqlite",
    ),
    Planted(
        "does not count a lost lease (SQLite)",
        "adapters/sqlite/sql/release_task.sql",
        "lost = lost + ?4, holder",
        "lost = lost + 0 * ?4, holder",
        "contracts-sqlite",
    ),
)
