INSERT INTO audit (entry_id, actor, action, target, body) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (entry_id) DO UPDATE SET
    actor = excluded.actor, action = excluded.action, target = excluded.target, body = excluded.body
