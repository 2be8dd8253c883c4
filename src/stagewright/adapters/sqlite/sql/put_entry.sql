INSERT INTO entries
    (workflow_id, partition, status, definition, name, key, facets, created_at_ms, updated_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT DO UPDATE SET
    status = excluded.status, definition = excluded.definition, name = excluded.name,
    key = excluded.key, facets = excluded.facets, created_at_ms = excluded.created_at_ms,
    updated_at_ms = excluded.updated_at_ms
