DELETE FROM inbox WHERE position = ?1 AND partition = ?2
RETURNING workflow_id, CASE WHEN ?3 IS NULL THEN body ELSE substr(body, 1, ?3) END
