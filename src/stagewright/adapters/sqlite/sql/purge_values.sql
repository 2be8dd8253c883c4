DELETE FROM kv WHERE key IN (SELECT key FROM kv WHERE expires_at_ms <= ?1 LIMIT ?2)
