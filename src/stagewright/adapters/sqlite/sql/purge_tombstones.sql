DELETE FROM tombstones WHERE workflow_id IN (
    SELECT workflow_id FROM tombstones WHERE expires_at_ms <= ?1 LIMIT ?2
)
