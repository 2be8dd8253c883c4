INSERT INTO letters (letter_id, workflow_id, reason, body, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO NOTHING
