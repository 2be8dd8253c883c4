SELECT place, workflow_id, kind, body FROM records
WHERE place > ?1 AND place <= ?3 ORDER BY place LIMIT ?2
