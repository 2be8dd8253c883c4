UPDATE records SET number = NULL WHERE workflow_id = ?1 AND number IS NOT NULL
