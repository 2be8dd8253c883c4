SELECT updated_at_ms, workflow_id FROM {source}
WHERE updated_at_ms >= :from_ms AND updated_at_ms < :before_ms
    AND (updated_at_ms, workflow_id) {beyond} (:cursor_ms, :cursor_id)
ORDER BY updated_at_ms {order}, workflow_id {order} LIMIT 1 OFFSET :looked_at - 1
