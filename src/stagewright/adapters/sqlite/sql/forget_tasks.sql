DELETE FROM tasks WHERE task_id > ?1 || '/' AND task_id < ?1 || '0'
