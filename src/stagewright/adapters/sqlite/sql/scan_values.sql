SELECT key, value FROM kv
WHERE key >= ?1 AND key < ?1 || char(1114111) AND (expires_at_ms IS NULL OR expires_at_ms > ?2)
ORDER BY key LIMIT ?3
