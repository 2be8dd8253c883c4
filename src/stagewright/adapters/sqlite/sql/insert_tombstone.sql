INSERT INTO tombstones (workflow_id, status, body_hash, expires_at_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET
    status = excluded.status, body_hash = excluded.body_hash, expires_at_ms = excluded.expires_at_ms
