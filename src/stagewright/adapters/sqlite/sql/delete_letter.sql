DELETE FROM letters WHERE letter_id = ?1 RETURNING workflow_id
