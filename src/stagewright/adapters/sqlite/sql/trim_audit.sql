DELETE FROM audit WHERE entry_id IN (
    SELECT entry_id FROM audit WHERE entry_id < ?1 ORDER BY entry_id LIMIT ?2
)
