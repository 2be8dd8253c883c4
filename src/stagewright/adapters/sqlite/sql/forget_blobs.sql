DELETE FROM blobs WHERE workflow_id = ?1
