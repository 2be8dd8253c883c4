SELECT key, body FROM outputs WHERE workflow_id = ?1 LIMIT ?2
