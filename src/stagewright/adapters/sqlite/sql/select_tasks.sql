SELECT task_id, state, lane, priority, token, holder, queued_at_ms, claimed_at_ms, expires_at_ms,
    deadline_at_ms, lost, partition, place
FROM tasks
WHERE task_id > ?1 || '/' AND task_id < ?1 || '0'
ORDER BY task_id
