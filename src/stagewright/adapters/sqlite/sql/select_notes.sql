SELECT body FROM records
WHERE workflow_id = ?1 AND kind = 'note' AND number IS NOT NULL
ORDER BY number LIMIT ?3 OFFSET ?2
