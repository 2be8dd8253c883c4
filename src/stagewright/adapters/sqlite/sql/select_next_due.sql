SELECT min(at_ms) FROM (
    SELECT min(due_at_ms) AS at_ms FROM timers WHERE partition = ?1
    UNION ALL
    SELECT min(expires_at_ms) FROM tasks WHERE state = 'leased' AND partition = ?1
)
