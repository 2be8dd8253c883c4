SELECT lane, priority, count(*), min(queued_at_ms) FROM tasks
WHERE state = 'queued'
GROUP BY lane, priority
ORDER BY lane, priority
