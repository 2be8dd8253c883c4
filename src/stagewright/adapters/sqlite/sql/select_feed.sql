SELECT place, workflow_id, kind, body FROM records WHERE place > ?1 ORDER BY place LIMIT ?2
