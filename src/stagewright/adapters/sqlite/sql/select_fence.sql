SELECT 1 FROM tasks WHERE task_id = ?1 AND token = ?2
