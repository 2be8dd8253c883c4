SELECT task_id, state, lane, priority, token, holder, queued_at_ms, claimed_at_ms, expires_at_ms,
    deadline_at_ms, lost
FROM tasks
WHERE state = 'leased' AND partition = ?1 AND expires_at_ms <= ?2
ORDER BY expires_at_ms LIMIT ?3
