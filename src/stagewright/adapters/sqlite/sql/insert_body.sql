INSERT INTO bodies (kind, hash, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING
