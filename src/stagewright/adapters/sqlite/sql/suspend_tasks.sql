UPDATE tasks SET state = 'suspended'
WHERE task_id > ?1 || '/' AND task_id < ?1 || '0' AND state = 'queued'
