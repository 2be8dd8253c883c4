SELECT body FROM blobs WHERE workflow_id = ?1 AND hash = ?2
