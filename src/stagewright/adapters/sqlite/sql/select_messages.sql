SELECT position, CASE WHEN length(body) <= ?4 THEN body END, length(body) FROM inbox
WHERE position > ?2 AND partition = ?1
ORDER BY position LIMIT ?3
