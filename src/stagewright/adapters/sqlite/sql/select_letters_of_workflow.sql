SELECT letter_id, workflow_id, reason, body, at_ms FROM letters
WHERE (at_ms, letter_id) < (?1, ?2) AND workflow_id = ?4
ORDER BY at_ms DESC, letter_id DESC LIMIT ?3
