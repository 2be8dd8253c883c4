INSERT INTO inbox (position, partition, workflow_id, body) VALUES (?1, ?2, ?3, ?4)
