UPDATE tasks SET expires_at_ms = min(?3, deadline_at_ms)
WHERE task_id = ?1 AND token = ?2 AND state = 'leased' AND deadline_at_ms > ?4
RETURNING expires_at_ms, partition
