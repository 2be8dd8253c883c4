UPDATE tasks SET state = 'queued'
WHERE task_id > ?1 || '/' AND task_id < ?1 || '0' AND state = 'suspended'
RETURNING lane
