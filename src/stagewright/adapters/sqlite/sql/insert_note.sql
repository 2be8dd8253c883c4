INSERT INTO records (place, workflow_id, kind, number, at_ms, body)
SELECT ?1, ?2, 'note', ?1, ?3, ?4
WHERE EXISTS (SELECT 1 FROM workflows WHERE workflow_id = ?2)
