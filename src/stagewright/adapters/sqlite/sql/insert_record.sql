INSERT INTO records (place, workflow_id, kind, number, at_ms, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
