DELETE FROM records
WHERE workflow_id = ?1 AND number IS NOT NULL
    AND place <= (SELECT value FROM meta WHERE name = 'trimmed')
