SELECT body FROM records
WHERE workflow_id = ?1 AND kind = 'step' AND number > ?2 AND number <= ?2 + ?3
ORDER BY number
