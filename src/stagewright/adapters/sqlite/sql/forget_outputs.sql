DELETE FROM outputs WHERE workflow_id = ?1
