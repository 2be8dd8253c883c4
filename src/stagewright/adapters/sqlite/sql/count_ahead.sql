SELECT count(*) FROM tasks
WHERE state = 'queued' AND partition = ?1 AND lane = ?2 AND priority = ?3 AND place < ?4
