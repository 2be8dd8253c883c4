UPDATE tasks SET state = 'done', expires_at_ms = NULL
WHERE task_id = ?1 AND token = ?2 AND state = 'leased'
