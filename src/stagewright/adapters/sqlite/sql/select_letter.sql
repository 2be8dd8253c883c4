SELECT letter_id, workflow_id, reason, body, at_ms FROM letters WHERE letter_id = ?1
