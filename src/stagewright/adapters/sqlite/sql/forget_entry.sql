DELETE FROM entries WHERE workflow_id = ?1
