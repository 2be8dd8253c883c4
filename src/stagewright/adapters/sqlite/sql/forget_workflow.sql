DELETE FROM workflows WHERE workflow_id = ?1 AND step_id = ?2
