INSERT INTO timers (workflow_id, timer_id, partition, due_at_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET due_at_ms = excluded.due_at_ms
