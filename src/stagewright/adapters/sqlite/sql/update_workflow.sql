UPDATE workflows
SET step_id = ?3, snapshot = ?4, suspended = coalesce(?5, suspended)
WHERE workflow_id = ?1 AND step_id = ?2
RETURNING suspended
