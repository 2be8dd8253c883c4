-- What was handed in as a task's result names the lease that was proved; all else leaves both empty.

ALTER TABLE inbox ADD COLUMN task_id TEXT;
ALTER TABLE inbox ADD COLUMN token INTEGER;
