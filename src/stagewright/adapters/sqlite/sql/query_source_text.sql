(
    SELECT workflow_id, updated_at_ms FROM entries
    WHERE workflow_id >= :text AND workflow_id < :text || char(1114111)
    UNION
    SELECT workflow_id, updated_at_ms FROM entries
    WHERE name >= :text AND name < :text || char(1114111)
    UNION
    SELECT workflow_id, updated_at_ms FROM entries
    WHERE key >= :text AND key < :text || char(1114111)
)
