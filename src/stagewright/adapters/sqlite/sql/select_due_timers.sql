SELECT workflow_id, timer_id, due_at_ms FROM timers
WHERE partition = ?1 AND due_at_ms <= ?2
ORDER BY due_at_ms LIMIT ?3
