SELECT priority, place FROM tasks
WHERE state = 'queued' AND partition = ?1 AND lane = ?2 AND priority = ?4
ORDER BY place LIMIT ?3
