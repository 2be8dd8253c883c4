INSERT INTO inbox (position, partition, workflow_id, body, task_id, token)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
