UPDATE tasks
SET state = 'leased', token = ?2, holder = ?3, claimed_at_ms = ?4,
    expires_at_ms = ?4 + min(?5, timeout_ms), deadline_at_ms = ?4 + timeout_ms
WHERE place = ?1
RETURNING task_id, token, lane, priority, body, queued_at_ms, expires_at_ms, deadline_at_ms, lost
