SELECT workflow_id, status, body_hash, expires_at_ms FROM tombstones
WHERE workflow_id = ?1 AND expires_at_ms > ?2
