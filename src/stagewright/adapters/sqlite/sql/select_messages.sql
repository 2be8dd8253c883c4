SELECT position, CASE WHEN length(body) <= ?4 THEN body END, length(body), task_id, token FROM inbox
WHERE position > ?2 AND partition = ?1
ORDER BY position LIMIT ?3
