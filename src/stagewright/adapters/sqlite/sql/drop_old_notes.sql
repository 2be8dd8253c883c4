UPDATE records SET number = NULL
WHERE workflow_id = ?1 AND kind = 'note' AND number <= (
    SELECT number FROM records
    WHERE workflow_id = ?1 AND kind = 'note' AND number IS NOT NULL
    ORDER BY number DESC LIMIT 1 OFFSET ?2
)
