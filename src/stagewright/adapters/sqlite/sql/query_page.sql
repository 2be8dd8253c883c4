WITH looked AS (
    SELECT workflow_id, updated_at_ms FROM {source}
    WHERE updated_at_ms >= :from_ms AND updated_at_ms < :before_ms
        AND (updated_at_ms, workflow_id) {beyond} (:cursor_ms, :cursor_id)
    ORDER BY updated_at_ms {order}, workflow_id {order} LIMIT :looked_at
), page AS (
    SELECT looked.updated_at_ms, looked.workflow_id
    FROM looked CROSS JOIN entries AS e ON e.workflow_id = looked.workflow_id
    WHERE (:statuses IS NULL OR e.status IN (SELECT value FROM json_each(:statuses)))
        AND (:definition IS NULL OR e.definition = :definition)
        AND (:partition IS NULL OR e.partition = :partition)
        AND (:text IS NULL OR substr(e.workflow_id, 1, length(:text)) = :text
            OR substr(e.name, 1, length(:text)) = :text OR substr(e.key, 1, length(:text)) = :text)
        AND (:labels IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:labels) AS wanted WHERE NOT EXISTS (
                SELECT 1 FROM facets WHERE facet = wanted.value
                    AND updated_at_ms = e.updated_at_ms AND workflow_id = e.workflow_id)))
        AND (:waiting IS NULL OR EXISTS (
            SELECT 1 FROM facets WHERE facet = :waiting
                AND updated_at_ms = e.updated_at_ms AND workflow_id = e.workflow_id))
    ORDER BY looked.updated_at_ms {order}, looked.workflow_id {order} LIMIT :rows
)
SELECT page.updated_at_ms, page.workflow_id, {columns}
FROM page CROSS JOIN workflows ON workflows.workflow_id = page.workflow_id
ORDER BY page.updated_at_ms {order}, page.workflow_id {order}
