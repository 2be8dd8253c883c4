INSERT INTO workflows (workflow_id, step_id, snapshot, suspended)
SELECT ?1, ?2, ?3, ?4
WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE workflow_id = ?1 AND expires_at_ms > ?5)
ON CONFLICT DO NOTHING
RETURNING suspended
