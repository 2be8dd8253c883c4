SELECT key, body FROM outputs
WHERE workflow_id = ?1 AND key IN (SELECT value FROM json_each(?2))
