INSERT INTO kv (key, value, expires_at_ms) VALUES (?1, ?2, ?3)
ON CONFLICT DO UPDATE SET value = excluded.value, expires_at_ms = excluded.expires_at_ms
