DELETE FROM timers WHERE workflow_id = ?1 AND timer_id = ?2
