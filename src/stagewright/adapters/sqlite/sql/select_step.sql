SELECT step_id FROM workflows WHERE workflow_id = ?1
