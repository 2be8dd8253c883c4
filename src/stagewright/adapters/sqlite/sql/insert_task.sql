INSERT INTO tasks
    (place, task_id, partition, state, lane, priority, queued_at_ms, timeout_ms, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT DO NOTHING
