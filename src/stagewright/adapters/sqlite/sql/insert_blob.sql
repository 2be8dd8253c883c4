INSERT INTO blobs (workflow_id, hash, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING
