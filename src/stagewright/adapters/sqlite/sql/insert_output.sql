INSERT INTO outputs (workflow_id, key, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING
