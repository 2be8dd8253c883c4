UPDATE tasks
SET state = CASE
        WHEN (SELECT suspended FROM workflows WHERE workflow_id = ?3) THEN 'suspended'
        ELSE 'queued'
    END,
    lost = lost + ?4, holder = NULL,
    claimed_at_ms = NULL, expires_at_ms = NULL, deadline_at_ms = NULL
WHERE task_id = ?1 AND token = ?2 AND state = 'leased'
RETURNING state, lane
