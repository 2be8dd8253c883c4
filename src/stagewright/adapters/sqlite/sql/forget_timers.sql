DELETE FROM timers WHERE workflow_id = ?1
