SELECT step_id, snapshot FROM workflows WHERE workflow_id = ?1
