SELECT count(*) FROM (
    SELECT 1 FROM entries
    WHERE workflow_id >= :text AND workflow_id < :text || char(1114111)
    UNION ALL
    SELECT 1 FROM entries
    WHERE name >= :text AND name < :text || char(1114111)
    UNION ALL
    SELECT 1 FROM entries
    WHERE key >= :text AND key < :text || char(1114111)
    LIMIT :looked_at + 1
)
