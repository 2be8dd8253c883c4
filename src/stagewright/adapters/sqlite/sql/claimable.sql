SELECT priority, place FROM tasks
WHERE state = 'queued' AND partition = ?1 AND lane = ?2
ORDER BY priority, place LIMIT ?3
